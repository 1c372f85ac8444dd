"""The graph's outbox on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from server.adapters.postgres.pool import Database
from server.adapters.postgres.rows import to_entities, to_relations, to_scope
from server.adapters.statements import load_statements
from server.domain.graph import MemorySubgraph
from server.domain.memory import today
from server.ports.clock import Clock
from server.ports.outbox import DirtyMemory

if TYPE_CHECKING:
    from server.adapters.postgres.rows import Row

SQL = load_statements("server.adapters.postgres.sql", "outbox.sql")


class PostgresOutbox:
    """Implements `server.ports.outbox.Outbox`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["claim"], limit, lease)
        return [
            DirtyMemory(
                project_id=row["project_id"],
                memory_id=row["memory_id"],
                generation=row["generation"],
                attempts=row["attempts"],
                correlation_id=row["correlation_id"],
            )
            for row in rows
        ]

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(
                SQL["subgraphs"],
                [dirty.project_id for dirty in claimed],
                [dirty.memory_id for dirty in claimed],
                [dirty.correlation_id for dirty in claimed],
                today(self._clock.now()),
            )
        return [_to_subgraph(row) for row in rows]

    async def settle(self, claimed: Sequence[DirtyMemory]) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(
                SQL["settle"],
                [dirty.project_id for dirty in claimed],
                [dirty.memory_id for dirty in claimed],
                [dirty.generation for dirty in claimed],
            )

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(
                SQL["release"],
                [dirty.project_id for dirty in claimed],
                [dirty.memory_id for dirty in claimed],
                retry_after,
            )

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(SQL["is_caught_up"], project_id, position))


def _to_subgraph(row: Row) -> MemorySubgraph:
    if not row["found"]:
        return MemorySubgraph(
            row["project_id"],
            row["memory_id"],
            exists=False,
            correlation_id=row["correlation_id"],
        )
    return MemorySubgraph(
        project_id=row["project_id"],
        memory_id=row["memory_id"],
        exists=True,
        version=row["version"],
        scope=to_scope(row),
        entities=to_entities(row["entities"]),
        relations=to_relations(row["relations"]),
        event_time=row["event_time"],
        correlation_id=row["correlation_id"],
    )
