"""Comparing the whole graph with the memories that it is made of."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

from server.application.whole_graph import projects_of, unknown_memories
from server.domain.graph_differences import DifferenceKind
from server.ports.graph_audit import GraphAudit
from server.ports.projection_source import ProjectionSource

PAGE_SIZE = 500
MOST_EXAMPLES = 3


@dataclass(slots=True)
class GraphReport:
    """What a comparison found. `pending` are memories whose projection is under way.

    `examples` names up to three memories for each kind of difference.
    """

    memories: int = 0
    pending: int = 0
    differences: Counter[DifferenceKind] = field(default_factory=Counter)
    examples: dict[DifferenceKind, list[str]] = field(default_factory=dict)

    @property
    def equal(self) -> bool:
        """Whether the graph holds what it should."""
        return not +self.differences


class VerifyGraph:
    """Reads both stores in pages, so that its memory does not grow with them.

    Servers may go on working meanwhile: what differs is looked at again, and what is on its way to
    the graph is counted as pending.
    """

    def __init__(self, source: ProjectionSource, audit: GraphAudit) -> None:
        self._source = source
        self._audit = audit

    async def __call__(
        self, project_id: str | None = None, on_progress: Callable[[int], None] = lambda _: None
    ) -> GraphReport:
        """Compares one project or all; `on_progress` is told how many memories were added.

        Raises:
            GraphUnavailable, StoreUnavailable: they cannot be read.
        """
        report = GraphReport()
        for project in await projects_of(self._source, self._audit, project_id):
            async for page in self._source.memories(project, PAGE_SIZE):
                report.memories += len(page)
                await self._compare(report, project, page)
                on_progress(len(page))
            async for unknown in unknown_memories(self._source, self._audit, project, PAGE_SIZE):
                await self._compare(report, project, unknown)
            async for flaws in self._audit.flaws(project, PAGE_SIZE, mend=False):
                report.differences += flaws
        return report

    async def _compare(
        self, report: GraphReport, project_id: str, memory_ids: Sequence[UUID]
    ) -> None:
        """Two looks, because a change can be stored and projected between the reads of one."""
        suspects: Sequence[UUID] = memory_ids
        found: Mapping[UUID, Counter[DifferenceKind]] = {}
        for _ in range(2):
            if not suspects:
                return
            found = await self._look(project_id, suspects)
            outstanding = await self._source.outstanding(project_id, list(found))
            report.pending += len(outstanding)
            suspects = [memory_id for memory_id in found if memory_id not in outstanding]
        for memory_id in suspects:
            report.differences += found[memory_id]
            for kind in found[memory_id]:
                examples = report.examples.setdefault(kind, [])
                if len(examples) < MOST_EXAMPLES:
                    examples.append(f"{project_id}/{memory_id}")

    async def _look(
        self, project_id: str, memory_ids: Sequence[UUID]
    ) -> dict[UUID, Counter[DifferenceKind]]:
        known = await self._source.subgraphs(project_id, memory_ids)
        found = dict(await self._audit.compare(known.subgraphs))
        for memory_id in known.not_learned:
            kinds = found.setdefault(memory_id, Counter())
            kinds[DifferenceKind.ALIASES_NOT_LEARNED] += 1
        return found
