"""The graph's arm of a search: memories that no word of the question leads to, but a relation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

from server.application.caught_up import CATCH_UP_SECONDS, CaughtUp
from server.application.ttl_cache import TtlCache
from server.domain.errors import GraphBehind, GraphUnavailable
from server.domain.graph import StatedRelation
from server.domain.graph_recall import names_in, scores_of
from server.domain.ranking import Arm, DegradedArm
from server.domain.request_context import current_request
from server.domain.scope import Scope
from server.ports.clock import Clock
from server.ports.graph_reader import GraphReader, Within
from server.telemetry.recording import record_search_arm

BELIEVED_SECONDS: Final = 5.0
"""For how long a scope without entities is not looked at again."""

_KNOWN_SCOPES: Final = 10_000
_SHARE_FOR_WAITING: Final = 0.5


@dataclass(frozen=True, slots=True)
class GraphFindings:
    """What the graph proposes: memories with scores, the relations of the entities in the question.

    `degraded` says why it could not.
    """

    scores: Mapping[UUID, float] = field(default_factory=dict)
    relations: Sequence[StatedRelation] = ()
    degraded: DegradedArm | None = None


class GraphArm:
    """Costs one round trip to the graph, and none for a scope of which it knew nothing just now.

    Whatever becomes of the graph, a search goes on without it.
    """

    def __init__(self, graph: GraphReader, caught_up: CaughtUp, clock: Clock) -> None:
        self._graph = graph
        self._caught_up = caught_up
        self._clock = clock
        self._empty: TtlCache[tuple[str, Scope], bool] = TtlCache(BELIEVED_SECONDS, _KNOWN_SCOPES)

    async def __call__(
        self, project_id: str, scope: Scope, question: str, position: int | None
    ) -> GraphFindings:
        """Asks the graph; `position` is that of a write that it must hold.

        Raises:
            StoreUnavailable: whether it holds that cannot be found out.
            DeadlineExceeded: the call's time ran out.
        """
        names = names_in(question)
        known = project_id, scope
        if not names or not scope.parts():
            # A question that names its scope in a filter alone is of no one graph space.
            return GraphFindings()
        if position is None and self._empty.get(known):
            return GraphFindings()
        try:
            await self._caught_up(project_id, position, self._patience())
            within = Within(project_id, scope, self._clock.now())
            found = await self._graph.recall(within, names)
        except (GraphBehind, GraphUnavailable) as error:
            record_search_arm(Arm.GRAPH, ran=False)
            if isinstance(error, GraphBehind):
                return _without("the graph has not caught up with the consistency_token")
            return _without("the graph is unavailable")
        record_search_arm(Arm.GRAPH, ran=True)
        if not found.has_entities:
            self._empty.put(known, True)
        near = [clue.stated for clue in found.clues if not clue.through]
        return GraphFindings(scores_of(found.clues), list(dict.fromkeys(near)))

    @staticmethod
    def _patience() -> float:
        """So long the graph is waited for, so that time for the search itself is left."""
        return min(CATCH_UP_SECONDS, _SHARE_FOR_WAITING * current_request().remaining())


def _without(reason: str) -> GraphFindings:
    return GraphFindings(degraded=DegradedArm(Arm.GRAPH, reason))
