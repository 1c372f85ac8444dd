"""The memories that the graph must hold: the changed ones, and all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from uuid import UUID, uuid4

from server.core.clock import Clock
from server.graph.model import MemorySubgraph
from server.graph.project.ports import Backlog, DirtyMemory, ExpectedSubgraphs
from server.memories.memory import today
from server.storage.postgres.entities import enqueue_affected
from server.storage.postgres.pool import Database
from server.storage.postgres.statements import load_sql
from server.storage.postgres.subgraphs import peek_subgraphs, read_subgraphs

SQL = load_sql("outbox.sql")

_REBUILD = "rebuild-graph"
_FIRST = UUID(int=0)
_EXPIRY = "expiry"


class PostgresOutbox:
    """Implements `server.graph.project.ports.Outbox`."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._day: date | None = None

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        lease_id = uuid4()
        rows = await self._database.fetch(SQL["claim"](limit=limit, duration=lease, lease=lease_id))
        return [
            DirtyMemory(
                project_id=row["project_id"],
                memory_id=row["memory_id"],
                position=row["position"],
                attempts=row["attempts"],
                correlation_id=row["correlation_id"],
                lease=lease_id,
                traceparent=row["traceparent"],
            )
            for row in rows
        ]

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        if not claimed:
            return
        await self._database.execute(SQL["renew"](duration=lease, **_claim(claimed)))

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        memories = [(d.project_id, d.memory_id, d.correlation_id) for d in claimed]
        return await read_subgraphs(self._database, memories, today(self._clock.now()))

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        if not claimed:
            return 0
        requeued = await self._database.fetchval(
            SQL["settle"](
                positions=[dirty.position for dirty in claimed],
                correlation_ids=[dirty.correlation_id for dirty in claimed],
                traceparents=[dirty.traceparent for dirty in claimed],
                **_claim(claimed),
            )
        )
        return int(requeued)

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        await self._release(claimed, retry_after, None, 0)

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
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
        given_up = await self._database.fetchval(
            SQL["release"](
                positions=[dirty.position for dirty in claimed],
                delay=retry_after,
                fault=fault,
                patience=patience,
                **_claim(claimed),
            )
        )
        return int(given_up)

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        return bool(
            await self._database.fetchval(
                SQL["is_caught_up"](project_id=project_id, position=position)
            )
        )

    async def backlog(self, project_id: str | None = None) -> Backlog:
        row = await self._database.fetchrow(SQL["backlog"](project_id=project_id))
        assert row is not None
        return Backlog(**row)

    async def enqueue_overdue(self) -> int:
        day = today(self._clock.now())
        async with self._database.connection() as connection:
            changes = await connection.fetch(*SQL["unprocessed_changes"]())
            enqueued = await enqueue_affected(connection, changes)
            if day != self._day:
                begin = SQL["begin_day"](day=day, correlation_id=_EXPIRY)
                enqueued += int(await connection.fetchval(*begin))
                self._day = day
        return enqueued

    async def projects(self) -> list[str]:
        rows = await self._database.fetch(SQL["projects"]())
        return [row["project_id"] for row in rows]

    async def memories(self, project_id: str, page_size: int) -> AsyncIterator[list[UUID]]:
        after = _FIRST
        while True:
            rows = await self._database.fetch(
                SQL["memory_page"](project_id=project_id, after_id=after, limit=page_size)
            )
            if not rows:
                return
            after = rows[-1]["memory_id"]
            yield [row["memory_id"] for row in rows]

    async def expected_subgraphs(
        self, project_id: str, memory_ids: Sequence[UUID]
    ) -> ExpectedSubgraphs:
        memories = [(project_id, memory_id, "") for memory_id in memory_ids]
        subgraphs, not_stored = await peek_subgraphs(
            self._database, memories, today(self._clock.now())
        )
        return ExpectedSubgraphs(subgraphs, not_stored)

    async def outstanding(self, project_id: str, memory_ids: Sequence[UUID]) -> set[UUID]:
        rows = await self._database.fetch(
            SQL["outstanding"](project_id=project_id, memory_ids=list(memory_ids))
        )
        return {row["memory_id"] for row in rows}

    async def enqueue(self, project_id: str, memory_ids: Sequence[UUID]) -> None:
        await self._database.execute(
            SQL["enqueue_given"](
                project_ids=[project_id] * len(memory_ids),
                memory_ids=list(memory_ids),
                correlation_id=_REBUILD,
            )
        )

    async def revive(self, project_id: str) -> int:
        return int(await self._database.fetchval(SQL["revive"](project_id=project_id)))


def _claim(claimed: Sequence[DirtyMemory]) -> dict[str, object]:
    """Returns parameters for the memories of one claim, which share its lease."""
    return {
        "project_ids": [dirty.project_id for dirty in claimed],
        "memory_ids": [dirty.memory_id for dirty in claimed],
        "lease": claimed[0].lease,
    }
