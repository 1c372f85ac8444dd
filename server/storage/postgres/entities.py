"""The names of entities: aliases that memories state, and splits by operators."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID, uuid4

from server.core.text import digest_of
from server.graph.model import Entity, entity_key
from server.graph.names import Joins, Split, StatedAlias, pair_of
from server.memories.queries import AliasCount
from server.memories.scope import SCOPE_FIELDS
from server.storage.postgres.connections import transaction
from server.storage.postgres.pool import Database
from server.storage.postgres.rows import to_entities
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row


SQL = load_sql("subgraphs.sql")
OUTBOX = load_sql("outbox.sql")

CORRELATION_ID = "entity-aliases"
SPLIT_CORRELATION_ID = "entity-splits"

Space = tuple[str, str]
"""A project and one of its graph spaces."""

Alias = tuple[str, str]
"""The name of an entity, and an alias of it."""


@dataclass(frozen=True, slots=True)
class MemoryAliases:
    """The aliases that a memory states now, to replace the stored ones."""

    project_id: str
    memory_id: UUID
    space: str
    aliases: Sequence[Alias]

    @property
    def project_space(self) -> Space:
        """The graph space, with its project."""
        return self.project_id, self.space

    @property
    def key(self) -> tuple[str, UUID]:
        """The identity of the memory."""
        return self.project_id, self.memory_id


def aliases_of(entities: Iterable[Entity]) -> list[Alias]:
    """Returns the aliases of a memory's entities."""
    return [(entity.name, alias) for entity in entities for alias in entity.aliases]


async def store_aliases(
    connection: Connection, memories: Sequence[MemoryAliases]
) -> dict[Space, Joins]:
    """Stores the memories' aliases, and records which names now belong to another entity.

    Returns the joins of each of their spaces. It is one transaction, whose number of statements
    does not depend on the number of memories. It locks the spaces, so that it sees the aliases of
    earlier transactions, in a fixed order, so that two transactions cannot deadlock.
    """
    spaces = sorted({memory.project_space for memory in memories})
    keys = _columns(("project_ids", "memory_ids"), [memory.key for memory in memories])
    async with transaction(connection):
        await connection.execute(*SQL["lock_spaces"](**_space_columns(spaces)))
        before = await _stated_aliases(connection, spaces)
        await connection.execute(*SQL["delete_aliases"](**keys))
        await connection.execute(*SQL["insert_aliases"](**_alias_columns(memories)))
        after = _with_changes(before, memories)
        now = {space: Joins(stated) for space, stated in after.items()}
        changes = {space: Joins(before[space]).changed(now[space]) for space in spaces}
        if any(changes.values()):
            await connection.execute(*SQL["insert_changes"](changes=_change_rows(changes)))
    return now


def _with_changes(
    before: Mapping[Space, Sequence[StatedAlias]], memories: Sequence[MemoryAliases]
) -> dict[Space, list[StatedAlias]]:
    """Returns the aliases in each space after the change of these memories."""
    changed = {memory.key for memory in memories}
    after = {
        space: [each for each in stated if (space[0], UUID(each.memory_id)) not in changed]
        for space, stated in before.items()
    }
    for memory in memories:
        memory_id = str(memory.memory_id)
        after[memory.project_space] += [StatedAlias(memory_id, *alias) for alias in memory.aliases]
    return after


def _change_rows(changes: Mapping[Space, frozenset[str]]) -> list[dict[str, object]]:
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


def _alias_columns(memories: Iterable[MemoryAliases]) -> dict[str, list[object]]:
    return _columns(
        ("project_ids", "memory_ids", "ordinals", "spaces", "names", "aliases"),
        [
            (memory.project_id, memory.memory_id, ordinal, memory.space, name, alias)
            for memory in memories
            for ordinal, (name, alias) in enumerate(memory.aliases, start=1)
        ],
    )


def _space_columns(spaces: Sequence[Space]) -> dict[str, list[object]]:
    return _columns(("project_ids", "spaces"), spaces)


def _columns(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> dict[str, list[object]]:
    """Returns the rows as one array for each of the named parameters."""
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


async def joins_of(connection: Connection, spaces: Iterable[Space]) -> dict[Space, Joins]:
    """Returns the joins of each space."""
    aliases = await _stated_aliases(connection, sorted(set(spaces)))
    return {space: Joins(stated) for space, stated in aliases.items()}


async def _stated_aliases(
    connection: Connection, spaces: Sequence[Space]
) -> dict[Space, list[StatedAlias]]:
    aliases: dict[Space, list[StatedAlias]] = {space: [] for space in spaces}
    if spaces:
        for row in await connection.fetch(*SQL["aliases"](**_space_columns(spaces))):
            stated = StatedAlias(str(row["memory_id"]), row["name"], row["alias"])
            aliases[row["project_id"], row["space"]].append(stated)
    return aliases


async def enqueue_affected(connection: Connection, changes: Iterable[Row]) -> int:
    """Enqueues the memories that mention a changed name, and returns their number.

    Call it after the change is committed. Then it finds every memory that was projected with the
    old aliases; memories that are stored later are projected with the new ones.
    """
    enqueued = 0
    for change in changes:
        project_id, space = change["project_id"], change["space"]
        async with transaction(connection):
            rows = await connection.fetch(
                *SQL["names_in_space"](project_id=project_id, space=space, **scope_values(space))
            )
            affected = _mentioning(rows, frozenset(change["keys"]))
            await _enqueue(connection, project_id, affected, CORRELATION_ID)
            await connection.execute(
                *SQL["delete_change"](
                    project_id=project_id, space=space, change_id=change["change_id"]
                )
            )
        enqueued += len(affected)
    return enqueued


def _mentioning(rows: Iterable[Row], keys: frozenset[str]) -> list[UUID]:
    return [row["memory_id"] for row in rows if keys.intersection(map(entity_key, row["names"]))]


def scope_values(space: str) -> dict[str, str | None]:
    """Returns a value for each scope field; only the field of the space has one."""
    kind, _, value = space.partition(":")
    named: Mapping[str, str] = {f"{kind}_id": value}
    return {field: named.get(field) for field in SCOPE_FIELDS}


class EntitySplits:
    """Implements the methods of `server.memories.ports.MemoryStore` on aliases and splits."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stated_aliases(self, project_id: str, space: str | None = None) -> list[AliasCount]:
        rows = await self._database.fetch(SQL["alias_counts"](project_id=project_id, space=space))
        return [
            AliasCount(row["space"], row["name"], row["alias"], row["memories"]) for row in rows
        ]

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> list[Split]:
        rows = await self._database.fetch(
            SQL["splits"](
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
                await _enqueue_joining(connection, project_id, split)
            # Once more, for memories that were stored and projected in the meantime.
            return bool(found), await _enqueue_joining(connection, project_id, split)


async def _enqueue_joining(connection: Connection, project_id: str, split: Split) -> int:
    """Enqueues the memories that join the two names.

    The projector finds the other memories that are affected.
    """
    rows = await connection.fetch(
        *SQL["memories_with_aliases"](
            project_id=project_id, space=split.space, **scope_values(split.space)
        )
    )
    affected = [
        row["memory_id"]
        for row in rows
        if any(
            pair_of(entity.name, alias) == split.pair
            for entity in to_entities(row["entities"])
            for alias in entity.aliases
        )
    ]
    await _enqueue(connection, project_id, affected, SPLIT_CORRELATION_ID)
    return len(affected)


async def _enqueue(
    connection: Connection, project_id: str, memory_ids: Sequence[UUID], correlation_id: str
) -> None:
    """Enqueues the memories for the graph."""
    await connection.execute(
        *OUTBOX["enqueue_given"](
            project_ids=[project_id] * len(memory_ids),
            memory_ids=list(memory_ids),
            correlation_id=correlation_id,
        )
    )
