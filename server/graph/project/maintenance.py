"""Verifies and rebuilds the whole graph from the memories."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from server.graph.model import DifferenceKind
from server.graph.ports import Graph, GraphAudit
from server.graph.project.ports import Outbox
from server.graph.project.projector import GraphProjector


async def projects_of(outbox: Outbox, audit: GraphAudit, project_id: str | None) -> list[str]:
    """Returns the given project, or for None all projects in either store."""
    if project_id is not None:
        return [project_id]
    return sorted({*await outbox.projects(), *await audit.projects()})


async def unknown_memories(
    outbox: Outbox, audit: GraphAudit, project_id: str, page_size: int
) -> AsyncIterator[list[UUID]]:
    """Yields the memories that are in the graph but no longer exist, page by page."""
    async for page in audit.memories(project_id, page_size):
        known = await outbox.expected_subgraphs(project_id, page)
        yield [subgraph.memory_id for subgraph in known.subgraphs if not subgraph.exists]


VERIFY_PAGE_SIZE = 500
MOST_EXAMPLES = 3


@dataclass(slots=True)
class GraphReport:
    """The result of a comparison. `pending` counts memories that are yet to be projected.

    `examples` names up to three memories for each kind of difference.
    """

    memories: int = 0
    pending: int = 0
    differences: Counter[DifferenceKind] = field(default_factory=Counter)
    examples: dict[DifferenceKind, list[str]] = field(default_factory=dict)

    @property
    def is_equal(self) -> bool:
        """Whether the graph has no differences."""
        return self.differences.total() == 0


class VerifyGraph:
    """Compares the graph with the store, page by page, so that memory use is bounded.

    Servers may keep working: differences are checked a second time, and changes that are not
    projected yet count as pending.
    """

    def __init__(self, outbox: Outbox, audit: GraphAudit) -> None:
        self._outbox = outbox
        self._audit = audit

    async def __call__(
        self, project_id: str | None = None, on_progress: Callable[[int], None] = lambda _: None
    ) -> GraphReport:
        """Compares one project or all; `on_progress` is called with the size of each page.

        Raises:
            GraphUnavailable, StoreUnavailable: the graph or the store cannot be read.
        """
        report = GraphReport()
        for project in await projects_of(self._outbox, self._audit, project_id):
            async for page in self._outbox.memories(project, VERIFY_PAGE_SIZE):
                report.memories += len(page)
                await self._compare(report, project, page)
                on_progress(len(page))
            async for unknown in unknown_memories(
                self._outbox, self._audit, project, VERIFY_PAGE_SIZE
            ):
                await self._compare(report, project, unknown)
            async for flaws in self._audit.flaws(project, VERIFY_PAGE_SIZE, repair=False):
                report.differences += flaws
        return report

    async def _compare(
        self, report: GraphReport, project_id: str, memory_ids: Sequence[UUID]
    ) -> None:
        """Compares twice, because a change can be stored and projected between two reads."""
        suspects: Sequence[UUID] = memory_ids
        found: Mapping[UUID, Counter[DifferenceKind]] = {}
        for _ in range(2):
            if not suspects:
                return
            found = await self._differences(project_id, suspects)
            outstanding = await self._outbox.outstanding(project_id, list(found))
            report.pending += len(outstanding)
            suspects = [memory_id for memory_id in found if memory_id not in outstanding]
        for memory_id in suspects:
            report.differences += found[memory_id]
            for kind in found[memory_id]:
                examples = report.examples.setdefault(kind, [])
                if len(examples) < MOST_EXAMPLES:
                    examples.append(f"{project_id}/{memory_id}")

    async def _differences(
        self, project_id: str, memory_ids: Sequence[UUID]
    ) -> dict[UUID, Counter[DifferenceKind]]:
        known = await self._outbox.expected_subgraphs(project_id, memory_ids)
        found = dict(await self._audit.compare(known.subgraphs))
        for memory_id in known.aliases_not_stored:
            kinds = found.setdefault(memory_id, Counter())
            kinds[DifferenceKind.ALIASES_NOT_STORED] += 1
        return found


REBUILD_PAGE_SIZE = 1000


@dataclass(slots=True)
class Rebuilt:
    """The counts of a rebuild."""

    memories: int = 0
    unknown: int = 0
    revived: int = 0
    given_up: int = 0
    repaired: Counter[DifferenceKind] = field(default_factory=Counter)


class RebuildGraph:
    """Projects every memory again, removes what no memory states, and repairs inconsistencies.

    The graph stays readable, and servers may keep working; their projectors help. A rebuild can be
    interrupted and repeated: servers project the memories that are already marked.
    """

    def __init__(
        self,
        outbox: Outbox,
        audit: GraphAudit,
        graph: Graph,
        projector: GraphProjector,
    ) -> None:
        self._outbox = outbox
        self._audit = audit
        self._graph = graph
        self._projector = projector

    async def __call__(
        self, project_id: str | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> Rebuilt:
        """Rebuilds one project or all; `on_progress` is called with the number done and the total.

        Raises:
            GraphUnavailable, StoreUnavailable: a database cannot be reached; memories already
                marked stay marked.
        """
        await self._graph.prepare()
        rebuilt = Rebuilt()
        projects = await projects_of(self._outbox, self._audit, project_id)
        # Repairs first, because the projection of a memory that is new to the graph does not look
        # for stray relations of it; and last, because names and ends of relations depend on the
        # projections.
        await self._repair(projects, rebuilt)
        for project in projects:
            await self._mark(project, rebuilt)
        await self._drain(project_id, rebuilt, on_progress)
        await self._repair(projects, rebuilt)
        rebuilt.given_up = (await self._outbox.backlog(project_id)).given_up
        return rebuilt

    async def _repair(self, projects: Sequence[str], rebuilt: Rebuilt) -> None:
        for project in projects:
            async for repaired in self._audit.flaws(project, REBUILD_PAGE_SIZE, repair=True):
                rebuilt.repaired += repaired

    async def _mark(self, project_id: str, rebuilt: Rebuilt) -> None:
        rebuilt.revived += await self._outbox.revive(project_id)
        async for page in self._outbox.memories(project_id, REBUILD_PAGE_SIZE):
            known = await self._outbox.expected_subgraphs(project_id, page)
            await self._audit.rewind(known.subgraphs)
            await self._outbox.enqueue(project_id, page)
            rebuilt.memories += len(page)
        async for unknown in unknown_memories(
            self._outbox, self._audit, project_id, REBUILD_PAGE_SIZE
        ):
            await self._outbox.enqueue(project_id, unknown)
            rebuilt.unknown += len(unknown)

    async def _drain(
        self,
        project_id: str | None,
        rebuilt: Rebuilt,
        on_progress: Callable[[int, int], None] | None,
    ) -> None:
        total = rebuilt.memories + rebuilt.unknown
        while pending := (await self._outbox.backlog(project_id)).pending:
            if on_progress:
                on_progress(max(total - pending, 0), total)
            if not await self._projector.project_once():
                # Other projectors hold the rest, or it waits for its next attempt.
                await self._graph.check()
                await self._projector.wait_for_work()
        if on_progress:
            on_progress(total, total)
