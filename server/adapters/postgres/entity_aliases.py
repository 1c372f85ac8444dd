"""What memories teach about names: kept by graph space, and told to those that it concerns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from server.adapters.postgres.pool import transaction
from server.adapters.statements import load_statements
from server.domain.aliases import Joins, TaughtAlias
from server.domain.graph import Entity, entity_key
from server.domain.scope import SCOPE_FIELDS

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection
    from server.adapters.postgres.rows import Row

SQL = load_statements("server.adapters.postgres.sql", "subgraphs.sql")
OUTBOX = load_statements("server.adapters.postgres.sql", "outbox.sql")

CORRELATION_ID = "entity-aliases"

Space = tuple[str, str]
"""A project and a graph space of it."""

Lesson = tuple[str, str]
"""The name of an entity, and another name of it."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """What a memory teaches now, which is not what is kept."""

    project_id: str
    memory_id: UUID
    space: str
    lessons: Sequence[Lesson]


def lessons_of(entities: Iterable[Entity]) -> list[Lesson]:
    """What the entities of a memory teach."""
    return [(entity.name, alias) for entity in entities for alias in entity.aliases]


async def learn(connection: Connection, teachings: Sequence[Teaching]) -> None:
    """Keeps what the memories teach, and notes which names stand for something else by that.

    The spaces are locked in one order, so that what one learns is seen by the next.
    """
    by_space: dict[Space, list[Teaching]] = {}
    for teaching in teachings:
        by_space.setdefault((teaching.project_id, teaching.space), []).append(teaching)
    for space in sorted(by_space):
        async with transaction(connection):
            await _learn(connection, space, by_space[space])


async def _learn(connection: Connection, space: Space, teachings: Sequence[Teaching]) -> None:
    await connection.execute(SQL["lock_space"], *space)
    before = (await joins_of(connection, [space]))[space]
    for teaching in teachings:
        identity = teaching.project_id, teaching.memory_id
        await connection.execute(SQL["forget_aliases"], *identity)
        if teaching.lessons:
            names, aliases = zip(*teaching.lessons, strict=True)
            await connection.execute(
                SQL["learn_aliases"], *identity, teaching.space, list(names), list(aliases)
            )
    changed = before.changed((await joins_of(connection, [space]))[space])
    if changed:
        await connection.execute(SQL["note_change"], *space, uuid4(), sorted(changed))


async def joins_of(connection: Connection, spaces: Iterable[Space]) -> dict[Space, Joins]:
    """Which names stand for which entity in each of the spaces."""
    wanted = sorted(set(spaces))
    taught: dict[Space, list[TaughtAlias]] = {space: [] for space in wanted}
    if wanted:
        rows = await connection.fetch(
            SQL["aliases"], [project for project, _ in wanted], [space for _, space in wanted]
        )
        for row in rows:
            lesson = TaughtAlias(str(row["memory_id"]), row["name"], row["alias"])
            taught[row["project_id"], row["space"]].append(lesson)
    return {space: Joins(lessons) for space, lessons in taught.items()}


async def spread(connection: Connection, changes: Iterable[Row]) -> int:
    """Puts the memories that mention a changed name into the outbox; how many those are.

    They are looked for after the change is committed: whoever stores one later projects it by what
    is taught now.
    """
    enqueued = 0
    for change in changes:
        project_id, space = change["project_id"], change["space"]
        async with transaction(connection):
            rows = await connection.fetch(
                SQL["names_in_space"], project_id, *scope_values(space), space
            )
            concerned = _mentioning(rows, frozenset(change["keys"]))
            await connection.execute(
                OUTBOX["enqueue_given"],
                [project_id] * len(concerned),
                concerned,
                CORRELATION_ID,
            )
            await connection.execute(SQL["forget_change"], project_id, space, change["change_id"])
        enqueued += len(concerned)
    return enqueued


def _mentioning(rows: Iterable[Row], keys: frozenset[str]) -> list[UUID]:
    return [row["memory_id"] for row in rows if keys.intersection(map(entity_key, row["names"]))]


def scope_values(space: str) -> list[str | None]:
    """The value of each scope field, of which the space names one."""
    kind, _, value = space.partition(":")
    named: Mapping[str, str] = {f"{kind}_id": value}
    return [named.get(field) for field in SCOPE_FIELDS]
