"""The graph's outbox on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from uuid import UUID, uuid4

from server.adapters.postgres.entity_aliases import spread
from server.adapters.postgres.pool import Database
from server.adapters.postgres.subgraphs import read_subgraphs
from server.adapters.statements import load_statements
from server.domain.graph import MemorySubgraph
from server.domain.memory import today
from server.ports.clock import Clock
from server.ports.outbox import Backlog, DirtyMemory

SQL = load_statements("server.adapters.postgres.sql", "outbox.sql")

_EXPIRY = "expiry"


class PostgresOutbox:
    """Implements `server.ports.outbox.Outbox`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._day: date | None = None

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        """See the port."""
        holder = uuid4()
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["claim"], limit, lease, holder)
        return [
            DirtyMemory(
                project_id=row["project_id"],
                memory_id=row["memory_id"],
                generation=row["generation"],
                attempts=row["attempts"],
                correlation_id=row["correlation_id"],
                lease=holder,
                traceparent=row["traceparent"],
            )
            for row in rows
        ]

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        """See the port."""
        if not claimed:
            return
        async with self._database.connection() as connection:
            await connection.execute(SQL["renew"], *_ids(claimed), claimed[0].lease, lease)

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        """See the port."""
        memories = [(d.project_id, d.memory_id, d.correlation_id) for d in claimed]
        return await read_subgraphs(self._database, memories, today(self._clock.now()))

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        """See the port."""
        if not claimed:
            return 0
        async with self._database.connection() as connection:
            return int(
                await connection.fetchval(
                    SQL["settle"],
                    *_ids(claimed),
                    [dirty.generation for dirty in claimed],
                    claimed[0].lease,
                    [dirty.correlation_id for dirty in claimed],
                    [dirty.traceparent for dirty in claimed],
                )
            )

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        """See the port."""
        await self._release(claimed, retry_after, None, 0)

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
        """See the port."""
        return bool(await self._release([refused], retry_after, fault, patience))

    async def _release(
        self,
        claimed: Sequence[DirtyMemory],
        retry_after: timedelta,
        fault: str | None,
        patience: int,
    ) -> int:
        if not claimed:
            return 0
        async with self._database.connection() as connection:
            return int(
                await connection.fetchval(
                    SQL["release"],
                    *_ids(claimed),
                    claimed[0].lease,
                    retry_after,
                    fault,
                    patience,
                    [dirty.generation for dirty in claimed],
                )
            )

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            return bool(await connection.fetchval(SQL["is_caught_up"], project_id, position))

    async def backlog(self, project_id: str | None = None) -> Backlog:
        """See the port."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["backlog"], project_id)
        assert row is not None
        return Backlog(row["pending"], row["dead"], row["oldest_seconds"])

    async def keep_up(self) -> int:
        """See the port."""
        day = today(self._clock.now())
        async with self._database.connection() as connection:
            enqueued = await spread(connection, await connection.fetch(SQL["unspread"]))
            if day != self._day:
                enqueued += int(await connection.fetchval(SQL["begin_day"], day, _EXPIRY))
                self._day = day
        return enqueued


def _ids(claimed: Sequence[DirtyMemory]) -> tuple[list[str], list[UUID]]:
    return [dirty.project_id for dirty in claimed], [dirty.memory_id for dirty in claimed]
