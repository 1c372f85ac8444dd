"""A graph in memory, for unit tests."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from server.graph.explore.computed_space import ComputedSpace, computed_space
from server.graph.explore.scoped_reader import SpacesReader
from server.graph.mentions import mentions_of
from server.graph.model import MemorySubgraph, StatedRelation
from server.graph.names import Joins, StatedAlias
from server.graph.ports import RelationQuery
from server.memories.scope import Scope
from server.projects.project import GraphCounts


class FakeGraph(SpacesReader):
    """Holds the last projected state of each memory; `queries` are all queries for relations.

    It passes tests/contract/test_graph.py and test_graph_reader.py.
    """

    def __init__(self) -> None:
        super().__init__(self._of_scope)
        self.queries: list[RelationQuery] = []
        self._held: dict[tuple[str, UUID], MemorySubgraph] = {}

    async def prepare(self) -> None:
        """Does nothing, because there is nothing to prepare."""

    async def rehearse(self) -> None:
        """Does nothing, because it would not get faster."""

    async def check(self) -> None:
        """Does nothing, because the graph is always available."""

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        self.hold(*subgraphs)

    def hold(self, *subgraphs: MemorySubgraph) -> None:
        """Does what `project` does."""
        for subgraph in subgraphs:
            if subgraph.relations and subgraph.event_time is None:
                raise ValueError("a memory that states relations has no event time")
            for mention in mentions_of(subgraph):
                mention.name.encode()
        deleted_last = sorted(subgraphs, key=lambda each: (not each.exists, each.version))
        for subgraph in deleted_last:
            place = subgraph.project_id, subgraph.memory_id
            held = self._held.get(place)
            if not subgraph.exists:
                self._held.pop(place, None)
            elif held is None or held.version <= subgraph.version:
                self._held[place] = subgraph

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        self.queries.append(query)
        return await super().list_relations(query)

    async def count(self, project_id: str) -> GraphCounts:
        spaces = self._spaces_of(project_id)
        return GraphCounts(
            sum(len(space.entities) for space in spaces),
            sum(len(space.relations) for space in spaces),
        )

    async def _of_scope(self, project_id: str, scope: Scope) -> list[ComputedSpace]:
        if not scope.sees_whole_spaces():
            raise ValueError(f"no whole graph space: scope {scope}")
        own = scope.graph_space()
        return [space for space in self._spaces_of(project_id) if space.name == own]

    def _spaces_of(self, project_id: str) -> list[ComputedSpace]:
        by_space: dict[str, list[MemorySubgraph]] = {}
        for subgraph in self._held.values():
            if subgraph.project_id == project_id:
                by_space.setdefault(subgraph.scope.graph_space(), []).append(subgraph)
        return [computed_space(name, _joins(found), found) for name, found in by_space.items()]


def _joins(subgraphs: Sequence[MemorySubgraph]) -> Joins:
    return Joins(
        StatedAlias(str(subgraph.memory_id), name, alias)
        for subgraph in subgraphs
        for name, aliases in subgraph.aliases.items()
        for alias in aliases
    )
