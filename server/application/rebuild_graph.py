"""Making the graph anew from the memories alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from server.application.project_graph import GraphProjector
from server.application.whole_graph import projects_of, unknown_memories
from server.domain.graph_differences import DifferenceKind
from server.ports.graph import Graph
from server.ports.graph_audit import GraphAudit
from server.ports.outbox import Outbox
from server.ports.projection_source import ProjectionSource

PAGE_SIZE = 1000


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did."""

    memories: int = 0
    unknown: int = 0
    revived: int = 0
    given_up: int = 0
    mended: Counter[DifferenceKind] = field(default_factory=Counter)


class RebuildGraph:
    """Has every memory projected once more, drops what no memory stands behind, and mends the rest.

    The graph stays readable meanwhile, and servers may go on working; their projectors help. It can
    be interrupted: what is marked is projected by them, and it can be run again.
    """

    def __init__(
        self,
        source: ProjectionSource,
        audit: GraphAudit,
        graph: Graph,
        outbox: Outbox,
        projector: GraphProjector,
    ) -> None:
        self._source = source
        self._audit = audit
        self._graph = graph
        self._outbox = outbox
        self._projector = projector

    async def __call__(
        self, project_id: str | None = None, on_progress: Callable[[int, int], None] | None = None
    ) -> Rebuilt:
        """Rebuilds one project or all; `on_progress` is told how many are done, and of how many.

        Raises:
            GraphUnavailable, StoreUnavailable: they cannot be reached; what was marked stays so.
        """
        await self._graph.prepare()
        rebuilt = Rebuilt()
        projects = await projects_of(self._source, self._audit, project_id)
        # Before, because a projection does not look for relations of a memory that is new to it;
        # after, because names and ends follow from what the projections leave.
        await self._mend(projects, rebuilt)
        for project in projects:
            await self._mark(project, rebuilt)
        await self._drain(project_id, rebuilt, on_progress)
        await self._mend(projects, rebuilt)
        rebuilt.given_up = (await self._outbox.backlog(project_id)).dead
        return rebuilt

    async def _mend(self, projects: Sequence[str], rebuilt: Rebuilt) -> None:
        for project in projects:
            async for mended in self._audit.flaws(project, PAGE_SIZE, mend=True):
                rebuilt.mended += mended

    async def _mark(self, project_id: str, rebuilt: Rebuilt) -> None:
        rebuilt.revived += await self._source.revive(project_id)
        async for page in self._source.memories(project_id, PAGE_SIZE):
            known = await self._source.subgraphs(project_id, page)
            await self._audit.rewind(known.subgraphs)
            await self._source.enqueue(project_id, page)
            rebuilt.memories += len(page)
        async for unknown in unknown_memories(self._source, self._audit, project_id, PAGE_SIZE):
            await self._source.enqueue(project_id, unknown)
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
                # Held by other projectors, or waiting for its next try.
                await self._graph.check()
                await self._projector.rest()
        if on_progress:
            on_progress(total, total)
