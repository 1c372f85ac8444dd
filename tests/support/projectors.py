"""Projectors on an outbox and a graph in memory, whose failures and delays tests choose."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

import pytest

from server.graph.model import MemorySubgraph
from server.graph.project.ports import DirtyMemory
from server.graph.project.projector import GraphProjector, ProjectorOptions
from tests.support.fake_graph import FakeGraph
from tests.support.fake_outbox import FakeOutbox

PROJECT = "project-1"
SECOND = timedelta(seconds=1)
PATIENCE_SECONDS = 30
OnProject = Callable[[Sequence[UUID]], Awaitable[None]]
QUICK = ProjectorOptions(
    poll_interval=timedelta(milliseconds=1),
    shortest_pause=timedelta(milliseconds=1),
    longest_pause=timedelta(milliseconds=2),
)


@dataclass
class HeldOutbox(FakeOutbox):
    """Rows in memory; a claimed row is held until it is settled or released."""

    free: list[DirtyMemory] = field(default_factory=list)
    settled: list[UUID] = field(default_factory=list)
    released: dict[UUID, timedelta] = field(default_factory=dict)
    leases: list[timedelta] = field(default_factory=list)
    claims: int = 0
    failures: list[Exception] = field(default_factory=list)
    empty: asyncio.Event = field(default_factory=asyncio.Event)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    renew_failures: list[Exception] = field(default_factory=list)
    lost: int = 0
    refusals: int = 0
    faults: list[str] = field(default_factory=list)

    async def claim(self, limit: int, lease: timedelta) -> list[DirtyMemory]:
        self.claims += 1
        self.leases.append(lease)
        if self.failures:
            raise self.failures.pop()
        claimed, self.free = self.free[:limit], self.free[limit:]
        if not claimed:
            self.empty.set()
        return claimed

    async def subgraphs(self, claimed: Sequence[DirtyMemory]) -> list[MemorySubgraph]:
        return [MemorySubgraph(PROJECT, dirty.memory_id, exists=False) for dirty in claimed]

    async def renew(self, claimed: Sequence[DirtyMemory], lease: timedelta) -> None:
        self.renewed.set()
        if self.renew_failures:
            raise self.renew_failures.pop()

    async def settle(self, claimed: Sequence[DirtyMemory]) -> int:
        self.settled += [dirty.memory_id for dirty in claimed]
        return self.lost

    async def refuse(
        self, refused: DirtyMemory, fault: str, retry_after: timedelta, patience: int
    ) -> bool:
        self.released |= {refused.memory_id: retry_after}
        self.faults.append(fault)
        return self.refusals + 1 >= patience

    async def release(self, claimed: Sequence[DirtyMemory], retry_after: timedelta) -> None:
        self.released |= {dirty.memory_id: retry_after for dirty in claimed}


async def _nothing(batch: Sequence[UUID]) -> None:
    """Does nothing, as a healthy graph."""


class BatchedGraph(FakeGraph):
    """Records batches; `on_project` can refuse or delay one."""

    def __init__(self, on_project: OnProject = _nothing) -> None:
        super().__init__()
        self.on_project = on_project
        self.batches: list[list[UUID]] = []
        self.prepared = 0
        self.prepare_failures: list[Exception] = []
        self.on_prepare: Callable[[], None] = lambda: None
        self.on_rehearse: Callable[[], None] = lambda: None

    async def prepare(self) -> None:
        if self.prepare_failures:
            raise self.prepare_failures.pop()
        self.prepared += 1
        self.on_prepare()

    async def rehearse(self) -> None:
        self.on_rehearse()

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        batch = [subgraph.memory_id for subgraph in subgraphs]
        await self.on_project(batch)
        self.batches.append(batch)


def dirty(number: int, attempts: int = 1) -> DirtyMemory:
    """Returns a changed memory with this number as its id."""
    return DirtyMemory(PROJECT, UUID(int=number), 1, attempts, f"call-{number}", UUID(int=0))


def ids(*numbers: int) -> list[UUID]:
    """Returns the ids of the memories with these numbers."""
    return [UUID(int=number) for number in numbers]


def refusing(error: Exception, numbers: Iterable[int]) -> OnProject:
    """Returns an `on_project` that fails for batches with one of these memories."""
    bad = set(ids(*numbers))

    async def refuse(batch: Sequence[UUID]) -> None:
        if bad.intersection(batch):
            raise error

    return refuse


def projector(
    outbox: HeldOutbox,
    graph: BatchedGraph,
    options: ProjectorOptions | None = None,
    chance: float = 1,
) -> GraphProjector:
    """Returns a projector whose pauses have this share of their length."""
    return GraphProjector(outbox, graph, options, jitter=lambda: chance)


@asynccontextmanager
async def running(subject: GraphProjector) -> AsyncIterator[asyncio.Task[None]]:
    """Runs the projector during the block."""
    task = asyncio.create_task(subject.run())
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            yield task
    finally:
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
