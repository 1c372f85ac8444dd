"""The graph arm of a search."""

from __future__ import annotations

import pytest

from server.graph.model import StatedRelation
from server.memories.search.arms import GraphArm, GraphFindings
from server.memories.search.question_clues import Clue
from tests.support.builders import ALICE, LISBON, NOW, PROJECT
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.subgraphs import memory_id

STATED = StatedRelation(LISBON, memory_id(1), NOW)
CLUES = {"lisbon": [Clue(memory_id(1), 1), Clue(memory_id(2), 1, through=2)]}


class World:
    """The arm and its collaborators."""

    def __init__(self) -> None:
        self.store = FakeStore(clues=dict(CLUES), related=[STATED])
        self.clock = FakeClock()
        self.arm = GraphArm(self.store, self.clock)

    async def finds(
        self, question: str, *, after_write: bool = False, with_relations: bool = True
    ) -> GraphFindings:
        query = self.arm.query_for(
            PROJECT, ALICE, question, after_write=after_write, with_relations=with_relations
        )
        return await self.arm(query) if query else GraphFindings()


@pytest.fixture
def world() -> World:
    return World()


async def test_the_memories_behind_relations_are_proposed(world: World) -> None:
    found = await world.finds("Who lives in Lisbon?")
    assert found.scores[memory_id(2)] > found.scores[memory_id(1)] > 0
    assert found.relations == [STATED]
    assert found.degraded is None
    [query] = world.store.recalls
    assert (query.project_id, query.scope, query.at) == (PROJECT, ALICE, world.clock.time)


async def test_relations_are_returned_only_if_asked_for(world: World) -> None:
    found = await world.finds("Lisbon", with_relations=False)
    assert found.scores
    assert found.relations == []


async def test_a_question_without_known_names_finds_nothing(world: World) -> None:
    assert await world.finds("What is new?") == GraphFindings({}, [])
    assert await world.finds("?") == GraphFindings()
    assert len(world.store.recalls) == 1


async def test_a_scope_without_relations_is_not_queried_again_at_once(world: World) -> None:
    world.store.clues = {}
    for _ in range(3):
        assert (await world.finds("Lisbon")).scores == {}
    assert len(world.store.recalls) == 1
    world.store.clues = dict(CLUES)
    assert memory_id(1) in (await world.finds("Lisbon", after_write=True)).scores
