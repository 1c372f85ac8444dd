"""The names of entities: aliases that memories state, and splits by operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from server.core.values import digest_of
from server.graph.model import Entity, entity_key
from server.graph.names import Joins, Split, TaughtAlias, pair_of
from server.graph.ports import TaughtName
from server.memories.scope import SCOPE_FIELDS
from server.storage.postgres.pool import Database, transaction
from server.storage.postgres.rows import to_entities
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row


SQL = load_sql("subgraphs.sql")
OUTBOX = load_sql("outbox.sql")

CORRELATION_ID = "entity-aliases"

Space = tuple[str, str]
"""A project and one of its graph spaces."""

Lesson = tuple[str, str]
"""The name of an entity and an alias."""


@dataclass(frozen=True, slots=True)
class Teaching:
    """The aliases that a memory states now, which differ from the stored ones."""

    project_id: str
    memory_id: UUID
    space: str
    lessons: Sequence[Lesson]

    @property
    def place(self) -> Space:
        """The graph space, with its project."""
        return self.project_id, self.space

    @property
    def memory(self) -> tuple[str, UUID]:
        """The identity of the memory."""
        return self.project_id, self.memory_id


def lessons_of(entities: Iterable[Entity]) -> list[Lesson]:
    """Returns the aliases of a memory's entities."""
    return [(entity.name, alias) for entity in entities for alias in entity.aliases]


async def learn(connection: Connection, teachings: Sequence[Teaching]) -> dict[Space, Joins]:
    """Stores the memories' aliases, and records which names now belong to another entity.

    Returns the joins of each of their spaces. It is one transaction with the same number of
    statements for any number of memories. It locks the spaces in a fixed order, so that it sees
    the aliases of earlier transactions.
    """
    spaces = sorted({teaching.place for teaching in teachings})
    memories = _columns(("project_ids", "memory_ids"), [t.memory for t in teachings])
    async with transaction(connection):
        await connection.execute(*SQL["lock_spaces"](**_space_columns(spaces)))
        before = await _taught(connection, spaces)
        await connection.execute(*SQL["forget_aliases"](**memories))
        await connection.execute(*SQL["learn_aliases"](**_lesson_columns(teachings)))
        now = {space: Joins(taught) for space, taught in _relearned(before, teachings).items()}
        changes = {space: Joins(before[space]).changed(now[space]) for space in spaces}
        if any(changes.values()):
            await connection.execute(*SQL["note_changes"](changes=_noted(changes)))
    return now


def _relearned(
    before: Mapping[Space, Sequence[TaughtAlias]], teachings: Iterable[Teaching]
) -> dict[Space, list[TaughtAlias]]:
    """Returns the aliases in each space after the change of these memories."""
    teachings = list(teachings)
    again = {teaching.memory for teaching in teachings}
    now = {
        space: [lesson for lesson in taught if (space[0], UUID(lesson.memory_id)) not in again]
        for space, taught in before.items()
    }
    for teaching in teachings:
        memory_id = str(teaching.memory_id)
        now[teaching.place] += [TaughtAlias(memory_id, *lesson) for lesson in teaching.lessons]
    return now


def _noted(changes: Mapping[Space, frozenset[str]]) -> list[dict[str, object]]:
    """Returns the changes for a JSON parameter."""
    return [
        {
            "project_id": project_id,
            "space": space,
            "change_id": str(uuid4()),
            "keys": sorted(keys),
        }
        for (project_id, space), keys in changes.items()
        if keys
    ]


def _lesson_columns(teachings: Iterable[Teaching]) -> dict[str, list[object]]:
    return _columns(
        ("project_ids", "memory_ids", "ordinals", "spaces", "names", "aliases"),
        [
            (teaching.project_id, teaching.memory_id, ordinal, teaching.space, name, alias)
            for teaching in teachings
            for ordinal, (name, alias) in enumerate(teaching.lessons, start=1)
        ],
    )


def _space_columns(spaces: Sequence[Space]) -> dict[str, list[object]]:
    return _columns(("project_ids", "spaces"), spaces)


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    """Returns the rows as one array for each of the named parameters."""
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


async def joins_of(connection: Connection, spaces: Iterable[Space]) -> dict[Space, Joins]:
    """Returns the joins of each space."""
    taught = await _taught(connection, sorted(set(spaces)))
    return {space: Joins(lessons) for space, lessons in taught.items()}


async def _taught(
    connection: Connection, spaces: Sequence[Space]
) -> dict[Space, list[TaughtAlias]]:
    taught: dict[Space, list[TaughtAlias]] = {space: [] for space in spaces}
    if spaces:
        for row in await connection.fetch(*SQL["aliases"](**_space_columns(spaces))):
            lesson = TaughtAlias(str(row["memory_id"]), row["name"], row["alias"])
            taught[row["project_id"], row["space"]].append(lesson)
    return taught


async def enqueue_affected(connection: Connection, changes: Iterable[Row]) -> int:
    """Enqueues the memories that mention a changed name, and returns their number.

    They are searched after the change is committed, because memories that are stored later are
    projected with the current aliases.
    """
    enqueued = 0
    for change in changes:
        project_id, space = change["project_id"], change["space"]
        async with transaction(connection):
            rows = await connection.fetch(
                *SQL["names_in_space"](project_id=project_id, space=space, **scope_values(space))
            )
            concerned = _mentioning(rows, frozenset(change["keys"]))
            await connection.execute(
                *OUTBOX["enqueue_given"](
                    project_ids=[project_id] * len(concerned),
                    memory_ids=concerned,
                    correlation_id=CORRELATION_ID,
                )
            )
            await connection.execute(
                *SQL["forget_change"](
                    project_id=project_id, space=space, change_id=change["change_id"]
                )
            )
        enqueued += len(concerned)
    return enqueued


def _mentioning(rows: Iterable[Row], keys: frozenset[str]) -> list[UUID]:
    return [row["memory_id"] for row in rows if keys.intersection(map(entity_key, row["names"]))]


def scope_values(space: str) -> dict[str, str | None]:
    """Returns a value for each scope field; only the field of the space has one."""
    kind, _, value = space.partition(":")
    named: Mapping[str, str] = {f"{kind}_id": value}
    return {field: named.get(field) for field in SCOPE_FIELDS}


_CORRELATION_ID = "entity-splits"


class PostgresEntitySplits:
    """Implements `server.graph.ports.EntitySplits`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def taught(self, project_id: str, space: str | None = None) -> list[TaughtName]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(*SQL["lessons"](project_id=project_id, space=space))
        return [
            TaughtName(row["space"], row["name"], row["alias"], row["memories"]) for row in rows
        ]

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> list[Split]:
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                *SQL["splits"](
                    project_id=project_id, spaces=None if spaces is None else list(spaces), time=at
                )
            )
        return [
            Split(row["space"], row["name"], row["other_name"], row["create_time"]) for row in rows
        ]

    async def split(self, project_id: str, split: Split) -> int:
        _, enqueued = await self._change(
            "split",
            project_id,
            split,
            name=split.name,
            other_name=split.other_name,
            create_time=split.create_time,
        )
        return enqueued

    async def rejoin(self, project_id: str, split: Split) -> bool:
        found, _ = await self._change("unsplit", project_id, split)
        return found

    async def _change(
        self, statement: str, project_id: str, split: Split, **values: object
    ) -> tuple[bool, int]:
        """Returns whether anything changed, and the number of affected memories."""
        bound = SQL[statement](
            project_id=project_id,
            space=split.space,
            split_id=digest_of(*sorted(split.pair)),
            **values,
        )
        async with self._database.connection() as connection:
            async with transaction(connection):
                found = await connection.fetchval(*bound)
                await _enqueue(connection, project_id, split)
            # Once more, for memories that were stored and projected in the meantime.
            return bool(found), await _enqueue(connection, project_id, split)


async def _enqueue(connection: Connection, project_id: str, split: Split) -> int:
    """Enqueues the memories that join the two names.

    The projector finds the other memories that are affected.
    """
    rows = await connection.fetch(
        *SQL["teachers"](project_id=project_id, space=split.space, **scope_values(split.space))
    )
    concerned = [
        row["memory_id"]
        for row in rows
        if any(
            pair_of(entity.name, alias) == split.pair
            for entity in to_entities(row["entities"])
            for alias in entity.aliases
        )
    ]
    await connection.execute(
        *OUTBOX["enqueue_given"](
            project_ids=[project_id] * len(concerned),
            memory_ids=concerned,
            correlation_id=_CORRELATION_ID,
        )
    )
    return len(concerned)
