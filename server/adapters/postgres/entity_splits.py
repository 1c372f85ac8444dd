"""Names that an operator has told apart, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from server.adapters.postgres.entity_aliases import OUTBOX, SQL, scope_values
from server.adapters.postgres.pool import Database, transaction
from server.adapters.postgres.rows import to_entities
from server.domain.digests import digest_of
from server.domain.splits import Split, pair_of
from server.ports.entity_splits import TaughtName

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection

_CORRELATION_ID = "entity-splits"


class PostgresEntitySplits:
    """Implements `server.ports.entity_splits.EntitySplits`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def taught(self, project_id: str, space: str | None = None) -> list[TaughtName]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["lessons"], project_id, space)
        return [
            TaughtName(row["space"], row["name"], row["alias"], row["memories"]) for row in rows
        ]

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> list[Split]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                SQL["splits"], project_id, None if spaces is None else list(spaces), at
            )
        return [
            Split(row["space"], row["name"], row["other_name"], row["create_time"]) for row in rows
        ]

    async def split(self, project_id: str, split: Split) -> int:
        """See the port."""
        values = split.name, split.other_name, split.create_time
        _, enqueued = await self._change("split", project_id, split, *values)
        return enqueued

    async def rejoin(self, project_id: str, split: Split) -> bool:
        """See the port."""
        found, _ = await self._change("unsplit", project_id, split)
        return found

    async def _change(
        self, statement: str, project_id: str, split: Split, *values: object
    ) -> tuple[bool, int]:
        """Whether it changed anything, and how many memories it concerns."""
        identity = project_id, split.space, digest_of(*sorted(split.pair))
        async with self._database.connection() as connection:
            async with transaction(connection):
                found = await connection.fetchval(SQL[statement], *identity, *values)
                await _enqueue(connection, project_id, split)
            # Once more, for those that were stored and projected meanwhile.
            return bool(found), await _enqueue(connection, project_id, split)


async def _enqueue(connection: Connection, project_id: str, split: Split) -> int:
    """Has the memories projected that say of the two names that they are one.

    What follows from it for others is the projector's to see.
    """
    rows = await connection.fetch(
        SQL["teachers"], project_id, *scope_values(split.space), split.space
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
        OUTBOX["enqueue_given"], [project_id] * len(concerned), concerned, _CORRELATION_ID
    )
    return len(concerned)
