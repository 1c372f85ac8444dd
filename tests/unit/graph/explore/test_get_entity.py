"""Reading an entity as it was in the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from server.core.errors import EntityNotFound
from server.graph.explore.access import VisibleGraph
from server.graph.explore.explore_graph import GetEntity, GetEntityCommand
from server.graph.model import Entity, Relation
from server.memories.memory import Memory
from server.memories.scope import Scope
from tests.support.builders import ALICE, NOW, PROJECT, addition, call
from tests.support.fake_graph import FakeGraph
from tests.support.fake_outbox import FakeOutbox
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.past import past_of
from tests.support.subgraphs import Triple, triple

WORKS = ("Alice", "works_at", "Acme")
LISBON = ("Alice", "lives_in", "Lisbon")
PORTO = ("Alice", "lives_in", "Porto")


class World:
    """The use case, with a past and no graph."""

    def __init__(self, *memories: Memory) -> None:
        self.graph, self.outbox, clock = FakeGraph(), FakeOutbox(), FakeClock()
        store = FakeStore(past=past_of(memories))
        self.get = GetEntity(VisibleGraph(self.graph, self.outbox, store, clock))


def memory(said: Triple, *, minute: int = 0, scope: Scope = ALICE) -> Memory:
    source, relation, target = said
    relations = [Relation(Entity(source), relation, Entity(target))]
    made = addition(call(scope=scope), "x", relations=relations).memory
    return replace(made, event_time=NOW + timedelta(minutes=minute))


def command_for(name: str, *, minute: int = 9) -> GetEntityCommand:
    time = NOW + timedelta(minutes=minute)
    return GetEntityCommand(PROJECT, ALICE, name, 1, position=7, as_of=time)


async def test_the_past_is_read_from_the_history() -> None:
    world = World(memory(WORKS), memory(LISBON, minute=1))
    found = await world.get(command_for("ALICE"))
    assert (found.entity.entity.name, found.entity.memory_count) == ("Alice", 2)
    assert [each.entity.name for each in found.neighbors] == ["Lisbon", "Acme"]
    assert [triple(each) for each in found.relations] == [LISBON, WORKS]
    assert not found.truncated
    assert world.outbox.asked == []


async def test_relations_superseded_by_then_are_left_out() -> None:
    world = World(memory(LISBON), memory(PORTO, minute=5))
    command = command_for("Alice")
    assert [triple(r) for r in (await world.get(command)).relations] == [PORTO]
    ever = await world.get(replace(command, include_superseded=True))
    assert [triple(r) for r in ever.relations] == [PORTO, LISBON]


async def test_entities_of_other_scopes_are_not_found() -> None:
    world = World(memory(WORKS, scope=Scope("alice", run_id="run-1")), memory(LISBON))
    in_run = replace(command_for("Lisbon"), scope=Scope("alice", run_id="run-1"))
    with pytest.raises(EntityNotFound):
        await world.get(in_run)
    assert (await world.get(replace(in_run, name="Alice"))).entity.memory_count == 1


async def test_the_scopes_own_space_comes_first() -> None:
    own = Scope(agent_id="helper")
    others = memory(WORKS, minute=5, scope=Scope("alice", agent_id="helper"))
    world = World(others, memory(LISBON, scope=own))
    found = await world.get(replace(command_for("Alice"), scope=own))
    assert found.entity.ref.space == "agent:helper"
    assert [triple(r) for r in found.relations] == [LISBON]
    acme = await world.get(replace(command_for("Acme"), scope=own))
    assert acme.entity.ref.space == "user:alice"
