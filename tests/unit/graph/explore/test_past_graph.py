"""The relations that a set of memories state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from server.graph.explore.access import VisibleGraph
from server.graph.explore.computed_space import relations_of, spaces_of
from server.graph.model import Entity, Relation
from server.graph.ports import GraphScope, RelationQuery
from server.memories.memory import Memory
from server.memories.scope import Scope
from tests.support.builders import ALICE, NOW, PROJECT, addition, call
from tests.support.fake_graph import FakeGraph
from tests.support.fake_outbox import FakeOutbox
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.past import past_of
from tests.support.subgraphs import Triple, triple

LISBON = ("Alice", "lives_in", "Lisbon")
ROME = ("Alice", "lives_in", "Rome")
KNOWS = ("Alice", "knows", "Bob")


def memory(
    *said: Triple, minute: int = 0, scope: Scope = ALICE, entities: Sequence[Entity] = ()
) -> Memory:
    relations = [Relation(Entity(s), relation, Entity(t)) for s, relation, t in said]
    made = addition(call(scope=scope), "x", relations=relations, entities=entities).memory
    return replace(made, event_time=NOW + timedelta(minutes=minute))


def test_the_newest_relations_come_first() -> None:
    memories = [memory(KNOWS, minute=1), memory(LISBON, minute=2)]
    assert [triple(s) for s in relations_of(spaces_of(memories))] == [LISBON, KNOWS]


def test_a_functional_relation_ends_with_the_next_one() -> None:
    memories = [memory(LISBON, KNOWS, minute=1), memory(ROME, minute=2)]
    ends = {triple(s): s.superseded_at for s in relations_of(spaces_of(memories))}
    assert ends == {ROME: None, LISBON: NOW + timedelta(minutes=2), KNOWS: None}


def test_relations_of_other_spaces_do_not_supersede() -> None:
    memories = [memory(LISBON, minute=1), memory(ROME, minute=2, scope=Scope(user_id="bob"))]
    assert all(s.superseded_at is None for s in relations_of(spaces_of(memories)))


def test_an_entity_is_found_by_each_of_its_names() -> None:
    robert = Entity("Robert Smith", "person", ("Bob", "Bobby"))
    memories = [memory(KNOWS), memory(ROME), memory(entities=[robert])]
    for name in ("bob", "ROBERT SMITH", "Bobby"):
        assert [triple(s) for s in relations_of(spaces_of(memories), name)] == [
            ("Alice", "knows", "Robert Smith")
        ]
    assert relations_of(spaces_of(memories), "Carol") == []


def test_a_relation_between_two_names_of_one_entity_is_left_out() -> None:
    robert = Entity("Robert", "person", ("Bob",))
    memories = [memory(("Robert", "knows", "Bob"), KNOWS, entities=[robert])]
    stated = [triple(s) for s in relations_of(spaces_of(memories))]
    assert stated == [("Alice", "knows", "Robert")]


async def test_the_past_of_a_scope_is_computed_from_its_own_memories() -> None:
    run = Scope(agent_id="helper", run_id="run-1")
    store = FakeStore(past=past_of([memory(KNOWS, scope=run)]))
    graph = VisibleGraph(FakeGraph(), FakeOutbox(), store, FakeClock())
    past = await graph.past(PROJECT, run, NOW)
    assert store.scopes == [run]
    relations = await past.list_relations(RelationQuery(GraphScope(PROJECT, run), 10))
    assert [triple(each) for each in relations] == [KNOWS]
