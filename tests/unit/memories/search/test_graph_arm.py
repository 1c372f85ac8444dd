"""The graph's arm of a search, and a search without it."""

from __future__ import annotations

import time

import pytest

from server.core.errors import GraphUnavailable
from server.core.request_context import RequestContext
from server.graph.explore.access import CaughtUp
from server.graph.model import StatedRelation
from server.memories.search.arms import GraphArm, GraphFindings
from server.memories.search.graph_clues import Clue
from server.memories.search.ranking import Arm
from tests.support.builders import ALICE, LISBON, NOW, PROJECT
from tests.support.fakes import FakeClock, FakeGraph, FakeOutbox
from tests.support.request_context import in_request
from tests.support.subgraphs import memory_id

STATED = StatedRelation(LISBON, memory_id(1), NOW)
FURTHER = StatedRelation(LISBON, memory_id(2), NOW)


class World:
    """The arm and what it works with."""

    def __init__(self) -> None:
        self.graph = FakeGraph(clues=[Clue(STATED, 1), Clue(FURTHER, 1, through=2)])
        self.outbox = FakeOutbox()
        self.arm = GraphArm(self.graph, CaughtUp(self.outbox), FakeClock())

    async def finds(self, question: str, position: int | None = None) -> GraphFindings:
        return await self.arm(PROJECT, ALICE, question, position)


@pytest.fixture
def world() -> World:
    return World()


async def test_the_memories_behind_relations_are_proposed(world: World) -> None:
    found = await world.finds("Who lives in Lisbon?")
    assert found.scores[memory_id(1)] > found.scores[memory_id(2)] > 0
    assert found.relations == [STATED]
    assert found.degraded is None


async def test_a_question_without_known_names_finds_nothing(world: World) -> None:
    assert await world.finds("What is new?") == GraphFindings({}, [])
    assert await world.finds("?") == GraphFindings()
    assert len(world.graph.recalled) == 1


async def test_a_graph_that_is_away_degrades_and_hurts_nothing(world: World) -> None:
    world.graph.fault = GraphUnavailable()
    found = await world.finds("Lisbon")
    assert found.scores == {}
    assert found.degraded is not None
    assert found.degraded.arm is Arm.GRAPH
    assert "unavailable" in found.degraded.reason


async def test_a_scope_without_entities_is_not_asked_again_at_once(world: World) -> None:
    world.graph.clues = []
    for _ in range(3):
        assert (await world.finds("Lisbon")).scores == {}
    assert len(world.graph.recalled) == 1
    world.graph.clues = [Clue(STATED, 1)]
    assert memory_id(1) in (await world.finds("Lisbon", position=7)).scores


async def test_a_write_is_waited_for(world: World) -> None:
    world.outbox.asks_until_caught_up = 2
    assert memory_id(1) in (await world.finds("Lisbon", position=7)).scores
    assert world.outbox.asked == [(PROJECT, 7)] * 2


async def test_a_graph_that_is_behind_degrades_and_leaves_time_to_search(world: World) -> None:
    world.outbox.asks_until_caught_up = None
    context = RequestContext("call-1", time.monotonic() + 0.4)
    found = await in_request(context, lambda: world.finds("Lisbon", position=7))
    assert found.degraded is not None
    assert "caught up" in found.degraded.reason
    assert world.graph.recalled == []
    assert context.remaining() > 0
