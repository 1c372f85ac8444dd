"""Finding entities by name, of which memories still speak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from server.application.visible_relations import VisibleRelations
from server.domain.errors import EntityNotFound
from server.domain.graph import KnownEntity
from server.ports.graph_reader import FoundEntity, GraphReader, Within


class KnownEntities:
    """Reads the graph, and shows no entity that only memories mention that are gone."""

    def __init__(self, graph: GraphReader, visible: VisibleRelations) -> None:
        self._graph = graph
        self._visible = visible

    async def named(self, within: Within, name: str) -> Sequence[KnownEntity]:
        """The entities of this name or alias, at most one in a graph space, the likeliest first.

        Raises:
            EntityNotFound: there is none.
            GraphUnavailable, StoreUnavailable: they cannot be read.
        """
        shown = await self.shown(within.project_id, await self._graph.find_entities(within, name))
        if not shown:
            raise EntityNotFound(name)
        return shown

    async def shown(self, project_id: str, found: Sequence[FoundEntity]) -> list[KnownEntity]:
        """Those of the entities that a memory mentions which is there, in their order.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        ids = {memory_id for each in found for memory_id in each.memory_ids}
        visible = await self._visible.memories(project_id, ids)
        counted = []
        for each in found:
            gone = sum(memory_id not in visible for memory_id in each.memory_ids)
            if gone < len(each.memory_ids):
                count = each.known.memory_count - gone
                counted.append(replace(each.known, memory_count=count))
        return counted
