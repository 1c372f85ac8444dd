"""All memories, for comparing with the graph and for making it anew."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from server.adapters.postgres.pool import Database
from server.adapters.postgres.subgraphs import peek_subgraphs
from server.adapters.statements import load_statements
from server.domain.memory import today
from server.ports.clock import Clock
from server.ports.projection_source import KnownSubgraphs

SQL = load_statements("server.adapters.postgres.sql", "outbox.sql")

_CORRELATION_ID = "rebuild-graph"
_FIRST = UUID(int=0)


class PostgresProjectionSource:
    """Implements `server.ports.projection_source.ProjectionSource`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def projects(self) -> list[str]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["projects"])
        return [row["project_id"] for row in rows]

    async def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        """See the port."""
        after = _FIRST
        while True:
            async with self._database.connection() as connection:
                rows = await connection.fetch(SQL["memory_page"], project_id, after, page_size)
            if not rows:
                return
            after = rows[-1]["memory_id"]
            yield [row["memory_id"] for row in rows]

    async def subgraphs(self, project_id: str, memory_ids: Sequence[UUID]) -> KnownSubgraphs:
        """See the port."""
        memories = [(project_id, memory_id, "") for memory_id in memory_ids]
        subgraphs, not_learned = await peek_subgraphs(
            self._database, memories, today(self._clock.now())
        )
        return KnownSubgraphs(subgraphs, not_learned)

    async def outstanding(self, project_id: str, memory_ids: Sequence[UUID]) -> set[UUID]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["outstanding"], project_id, list(memory_ids))
        return {row["memory_id"] for row in rows}

    async def enqueue(self, project_id: str, memory_ids: Sequence[UUID]) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(
                SQL["enqueue_given"],
                [project_id] * len(memory_ids),
                list(memory_ids),
                _CORRELATION_ID,
            )

    async def revive(self, project_id: str) -> int:
        """See the port."""
        async with self._database.connection() as connection:
            return int(await connection.fetchval(SQL["revive"], project_id))
