"""Reading the graph with a scope that does not see whole graph spaces."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from server.core.errors import InvalidRequest
from server.graph.explore import scoped_reader
from server.graph.explore.scoped_reader import ScopedGraphReader
from server.graph.model import Entity, EntityCursor, EntityRef, Relation, StatedRelation, words_of
from server.graph.ports import EntityQuery, GraphScope, RelationQuery
from server.memories.scope import Scope
from tests.support.builders import ALICE, NOW, PROJECT, addition, call, change_set
from tests.support.fake_graph import FakeGraph
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.subgraphs import Triple, cursor_after, stating, triple

AGENT = Scope(agent_id="helper")
ONE, TWO = (Scope(agent_id="helper", run_id=run) for run in ("one", "two"))
ROBERT = Entity("Robert", "person", aliases=("Bob",))
LIVES = ("Robert", "lives_in", "Oslo")
MOVES = ("Robert", "lives_in", "Rome")
WORKS = ("Robert", "works_at", "Acme")
MAKES = ("Acme", "makes", "Anvils")
BOB_KNOWS = ("Bob", "knows", "Carol")


class World:
    """The reader, its store, and the graph from which it reads whole spaces."""

    def __init__(self) -> None:
        self.graph, self.store = FakeGraph(), FakeStore()
        self.reader = ScopedGraphReader(self.graph, self.store, FakeClock())

    async def knows(
        self, scope: Scope, *triples: Triple, minute: int = 0, entities: tuple[Entity, ...] = ()
    ) -> None:
        new_call = call(scope=scope, time=NOW - timedelta(minutes=60 - minute))
        stated = [Relation(Entity(s), kind, Entity(t)) for s, kind, t in triples]
        text = f"{scope} {triples} {entities}"
        item = addition(new_call, text, relations=stated, entities=entities)
        await self.store.commit(change_set(new_call, added=[item]))

    async def relations(
        self, scope: Scope, *, limit: int = 10, after: StatedRelation | None = None, **more: str
    ) -> list[StatedRelation]:
        cursor = cursor_after(after) if after else None
        query = RelationQuery(GraphScope(PROJECT, scope, NOW), limit, after=cursor, **more)
        return await self.reader.list_relations(query)


@pytest.fixture
async def world() -> World:
    world = World()
    await world.knows(ONE, WORKS, MAKES, minute=1, entities=(ROBERT,))
    await world.knows(TWO, LIVES, BOB_KNOWS, minute=2)
    await world.knows(ONE, MOVES, minute=3)
    return world


async def listed(world: World, scope: Scope, query: str = "") -> list[str]:
    within = GraphScope(PROJECT, scope)
    page = await world.reader.list_entities(EntityQuery(within, 100, words_of(query)))
    return [each.known.entity.name for each in page.items]


@pytest.mark.parametrize(
    ("scope", "whole"),
    [
        (ALICE, True),
        (Scope(user_id="alice", run_id="one"), False),
        (Scope(user_id="alice", agent_id="helper"), False),
        (AGENT, False),
        (Scope(run_id="one"), False),
    ],
)
def test_only_a_user_alone_sees_a_whole_space(scope: Scope, whole: bool) -> None:
    assert scope.sees_whole_spaces() is whole


async def test_whole_spaces_are_read_from_the_graph(world: World) -> None:
    world.graph.hold(stating(1, LIVES))
    [stated] = await world.relations(ALICE)
    assert triple(stated) == LIVES
    within = GraphScope(PROJECT, ALICE)
    around = await world.reader.explore(within, EntityRef("user:alice", "robert"), 1)
    assert around.relations == [stated]
    assert await world.reader.find_entities(within, "nobody") == []
    assert await listed(world, ALICE) == ["Oslo", "Robert"]


async def test_a_run_sees_only_its_own_names_and_ends(world: World) -> None:
    assert {triple(each) for each in await world.relations(TWO)} == {LIVES, BOB_KNOWS}
    assert {triple(each) for each in await world.relations(ONE)} == {MOVES, WORKS, MAKES}
    assert await listed(world, TWO) == ["Bob", "Carol", "Oslo", "Robert"]
    within = GraphScope(PROJECT, TWO)
    [robert] = await world.reader.find_entities(within, "robert")
    assert robert.known.entity.aliases == ()
    assert robert.known.memory_count == 1
    [bob] = await world.reader.find_entities(within, "bob")
    assert bob.known.entity.name == "Bob"


async def test_a_scope_sees_nothing_of_another(world: World) -> None:
    shouted, likes = ("ALICE", "knows", "Bob"), ("Alice", "likes", "Tea")
    await world.knows(Scope(agent_id="x"), shouted)
    await world.knows(Scope(user_id="x", agent_id="y"), likes)
    assert [triple(each) for each in await world.relations(Scope(agent_id="x"))] == [shouted]
    assert [triple(each) for each in await world.relations(Scope(agent_id="y"))] == [likes]
    both = Scope(user_id="x", agent_id="y")
    assert [triple(each) for each in await world.relations(both)] == [likes]
    assert await world.relations(replace(both, agent_id="x")) == []
    other_run = GraphScope(PROJECT, replace(both, run_id="other"))
    assert await world.reader.find_entities(other_run, "Alice") == []
    assert await listed(world, other_run.scope, "tea") == []
    tea = EntityRef("user:x", "tea")
    assert (await world.reader.explore(other_run, tea, 1)).relations == []


@pytest.mark.parametrize("field", ["agent_id", "app_id", "run_id"])
async def test_any_single_field_of_a_scope_finds_its_relations(world: World, field: str) -> None:
    whole = Scope("user", "agent", "app", "run")
    await world.knows(whole, WORKS)
    value = field.removesuffix("_id")
    assert [triple(each) for each in await world.relations(Scope(**{field: value}))] == [WORKS]
    assert await world.relations(Scope(**{field: "other"})) == []
    assert [triple(each) for each in await world.relations(whole)] == [WORKS]
    assert await world.relations(replace(whole, **{field: "other"})) == []


async def test_a_scope_without_user_reads_the_spaces_of_its_memories(world: World) -> None:
    agent, shared = Scope(agent_id="guide"), Scope(user_id="alice", agent_id="guide")
    likes = ("Alice", "likes", "Tea")
    await world.knows(agent, ("Alice", "works_at", "Acme"))
    await world.knows(shared, likes)
    await world.knows(ALICE, ("Bob", "knows", "Alice"))
    within = GraphScope(PROJECT, agent)
    entities = await world.reader.find_entities(within, "Alice")
    assert [each.known.ref.space for each in entities] == ["agent:guide", "user:alice"]
    assert [each.known.memory_count for each in entities] == [1, 1]
    assert sorted(await listed(world, agent)) == ["Acme", "Alice", "Alice", "Tea"]
    assert await listed(world, agent, "bob") == []
    around = await world.reader.explore(within, EntityRef("user:alice", "alice"), 2)
    assert {triple(each) for each in around.relations} == {likes}


async def test_an_agent_sees_the_relations_of_all_its_runs(world: World) -> None:
    joined = ("Robert", "knows", "Carol")
    found = {triple(each) for each in await world.relations(AGENT)}
    assert found == {MOVES, WORKS, MAKES, joined}
    [bob] = await world.reader.find_entities(GraphScope(PROJECT, AGENT), "bob")
    assert bob.known.entity == Entity("Robert", "person", ("Bob",))


async def test_relations_are_listed_by_entity_kind_and_page(world: World) -> None:
    assert [triple(each) for each in await world.relations(ONE, entity="Bob")] == [MOVES, WORKS]
    assert [triple(each) for each in await world.relations(ONE, relation="makes")] == [MAKES]
    everything = await world.relations(ONE)
    pages: list[StatedRelation] = []
    while page := await world.relations(ONE, limit=1, after=pages[-1] if pages else None):
        pages += page
    assert pages == everything


async def test_entities_are_listed_page_by_page(world: World) -> None:
    found: list[str] = []
    after: EntityCursor | None = None
    while True:
        query = EntityQuery(GraphScope(PROJECT, AGENT), 2, after=after)
        page = await world.reader.list_entities(query)
        found += [each.known.entity.name for each in page.items]
        after = page.next
        if after is None:
            break
    assert found == await listed(world, AGENT)
    assert len(found) == 6


async def test_matches_are_listed_best_first_and_page_by_page(world: World) -> None:
    await world.knows(ONE, ("Robertson", "knows", "Rupert"))
    assert await listed(world, ONE, "robert") == ["Robert", "Robertson", "Rupert"]
    first = EntityQuery(GraphScope(PROJECT, ONE), 2, ["robert"])
    page = await world.reader.list_entities(first)
    assert page.next == EntityCursor(skipped=2)
    last = EntityQuery(first.within, 2, ["robert"], page.next)
    page = await world.reader.list_entities(last)
    assert [each.known.entity.name for each in page.items] == ["Rupert"]
    assert page.next is None


async def test_a_neighbourhood_ends_at_the_limits_of_the_scope(world: World) -> None:
    start = EntityRef("agent:helper", "robert")
    around = await world.reader.explore(GraphScope(PROJECT, ONE, NOW), start, 2)
    assert {triple(each) for each in around.relations} == {MOVES, WORKS, MAKES}
    assert set(around.entities) == {"robert", "rome", "acme", "anvils"}
    around = await world.reader.explore(GraphScope(PROJECT, TWO, NOW), start, 2)
    assert {triple(each) for each in around.relations} == {LIVES}
    nowhere = EntityRef("agent:other", "robert")
    assert not (await world.reader.explore(GraphScope(PROJECT, TWO), nowhere, 2)).relations


async def test_too_many_memories_are_refused(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scoped_reader, "MOST_MEMORIES", 1)
    await world.relations(TWO)
    with pytest.raises(InvalidRequest, match="user_id"):
        await world.relations(AGENT)
