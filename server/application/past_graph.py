"""Reading who related to what at a past instant, from the history of the memories."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from server.domain.errors import FieldViolation, InvalidRequest
from server.domain.graph import StatedRelation
from server.domain.memory import today
from server.domain.pages import ListOrder
from server.domain.past_graph import PastSpace, relations_of, spaces_of
from server.domain.scope import Scope
from server.ports.entity_splits import EntitySplits
from server.ports.memory_history import MemoryHistory
from server.ports.memory_store import ListQuery

MOST_MEMORIES: Final = 10_000
"""Of so many memories the relations are worked out; the graph itself holds the present only."""


class PastGraph:
    """Costs two statements: all memories of the graph space as they were, and which names of it
    were split by then.
    """

    def __init__(self, history: MemoryHistory, splits: EntitySplits) -> None:
        self._history = history
        self._splits = splits

    async def relations(
        self, project_id: str, scope: Scope, time: datetime, entity: str | None
    ) -> list[StatedRelation]:
        """What the memories of the scope stated then, newest event first, superseded or not.

        Raises:
            InvalidRequest: there were more memories than are worked out.
            StoreUnavailable: they cannot be read.
        """
        return relations_of(await self.spaces(project_id, scope, time), entity)

    async def spaces(self, project_id: str, scope: Scope, time: datetime) -> list[PastSpace]:
        """The graphs of the scope's spaces, as far as the memories of the scope made them then.

        The scope's own space comes first, then those of its newest memories.

        Raises:
            InvalidRequest: there were more memories than are worked out.
            StoreUnavailable: they cannot be read.
        """
        # A memory of another run or agent can supersede what one of the scope states.
        field, value = scope.parts()[0]
        query = ListQuery(
            project_id,
            Scope(**{field: value}),
            MOST_MEMORIES + 1,
            ListOrder.NEWEST_FIRST,
            visible_on=today(time),
        )
        memories = await self._history.list(query, time)
        if len(memories) > MOST_MEMORIES:
            rule = f"of more than {MOST_MEMORIES} memories only the present can be read"
            raise InvalidRequest([FieldViolation("as_of", rule)])
        in_scope = {m.id for m in memories if set(scope.parts()) <= set(m.scope.parts())}
        names = sorted({memory.scope.graph_space() for memory in memories})
        splits = await self._splits.splits(project_id, names, time)
        seen = [space.seen_by(in_scope) for space in spaces_of(memories, splits)]
        return sorted(seen, key=lambda space: space.name != scope.graph_space())
