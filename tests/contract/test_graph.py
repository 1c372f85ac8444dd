"""Contract of the port `Graph`. The fixture `graph` is an empty graph."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import timedelta

import pytest

from server.graph.model import Entity, MemorySubgraph, Relation
from server.graph.ports import EntityQuery, Graph, GraphScope, RelationQuery
from server.memories.scope import Scope
from tests.support.subgraphs import (
    ALICE,
    NOON,
    PROJECT,
    Triple,
    cursor_after,
    gone,
    memory_id,
    stating,
    triple,
)

WORKS = ("Alice", "works_at", "Acme")
LIVES = ("Alice", "lives_in", "Oslo")
KNOWS = ("Alice", "knows", "Bob")


async def triples(
    graph: Graph,
    scope: Scope = ALICE,
    *,
    project_id: str = PROJECT,
    entity: str | None = None,
    relation: str | None = None,
) -> list[Triple]:
    query = RelationQuery(
        GraphScope(project_id, scope), limit=1000, entity=entity, relation=relation
    )
    return [triple(stated) for stated in await graph.list_relations(query)]


async def test_an_empty_graph_answers(graph: Graph) -> None:
    await graph.check()
    assert await triples(graph) == []


async def test_preparing_can_be_repeated_and_keeps_what_is_there(graph: Graph) -> None:
    await graph.project([stating(1, WORKS)])
    await asyncio.gather(graph.prepare(), graph.prepare())
    assert await triples(graph) == [WORKS]


async def test_relations_have_their_memory_and_time_and_types(graph: Graph) -> None:
    entities = (Entity("Alice", "person"), Entity("Acme", "organization"))
    await graph.project([stating(1, WORKS, entities=entities, minute=5)])
    [stated] = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=10))
    assert stated.relation == Relation(entities[0], "works_at", entities[1])
    assert stated.memory_id == memory_id(1)
    assert stated.event_time == NOON + timedelta(minutes=5)
    assert stated.event_time.tzinfo is not None


async def test_event_times_keep_their_microseconds(graph: Graph) -> None:
    exact = NOON + timedelta(microseconds=123_457)
    await graph.project([replace(stating(1, WORKS), event_time=exact)])
    [stated] = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=10))
    assert stated.event_time == exact


async def test_an_empty_projection_succeeds(graph: Graph) -> None:
    await graph.project([])
    assert await triples(graph) == []


async def test_a_changed_memory_states_only_what_it_says_now(graph: Graph) -> None:
    await graph.project([stating(1, WORKS, LIVES)])
    await graph.project([stating(1, LIVES, KNOWS, version=2)])
    assert sorted(await triples(graph)) == sorted([LIVES, KNOWS])


async def test_a_changed_event_time_is_projected(graph: Graph) -> None:
    await graph.project([stating(1, WORKS, minute=1)])
    await graph.project([stating(1, WORKS, minute=9, version=2)])
    [stated] = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=10))
    assert stated.event_time == NOON + timedelta(minutes=9)


async def test_a_deleted_memory_takes_its_relations_along(graph: Graph) -> None:
    await graph.project([stating(1, WORKS), stating(2, LIVES)])
    await graph.project([gone(1)])
    assert await triples(graph) == [LIVES]


async def test_deleting_an_unknown_memory_changes_nothing(graph: Graph) -> None:
    await graph.project([stating(1, WORKS)])
    await graph.project([gone(2)])
    assert await triples(graph) == [WORKS]


async def test_repeating_a_projection_changes_nothing(graph: Graph) -> None:
    batch = [stating(1, WORKS, KNOWS), stating(2, WORKS), gone(3)]
    await graph.project(batch)
    before = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=100))
    await graph.project(batch)
    assert (
        await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=100)) == before
    )
    assert len(before) == 3


async def test_a_relation_stated_twice_by_one_memory_exists_once(graph: Graph) -> None:
    await graph.project([stating(1, WORKS, WORKS, ("ALICE", "works_at", "acme"))])
    assert await triples(graph) == [WORKS]


async def test_an_older_version_is_ignored(graph: Graph) -> None:
    await graph.project([stating(1, LIVES, version=2)])
    await graph.project([stating(1, WORKS, version=1), stating(2, KNOWS)])
    assert sorted(await triples(graph)) == sorted([LIVES, KNOWS])


async def test_the_last_state_of_a_memory_in_one_batch_counts(graph: Graph) -> None:
    await graph.project([stating(1, LIVES, version=2), stating(1, WORKS, version=1)])
    assert await triples(graph) == [LIVES]
    await graph.project([gone(1), stating(1, WORKS, version=3)])
    assert await triples(graph) == []


async def test_two_memories_share_an_entity(graph: Graph) -> None:
    await graph.project([stating(1, WORKS), stating(2, ("Bob", "works_at", "  ACME "))])
    assert await triples(graph, entity="aCmE") == [WORKS, ("Bob", "works_at", "Acme")]
    await graph.project([gone(2)])
    assert await triples(graph, entity="Acme") == [WORKS]


async def test_an_entity_is_named_by_its_oldest_memory_in_any_order(graph: Graph) -> None:
    await graph.project([stating(2, ("ALICE", "knows", "Bob"))])
    await graph.project([stating(1, WORKS)])
    assert set(await triples(graph)) == {WORKS, KNOWS}
    await graph.project([gone(1)])
    assert await triples(graph) == [("ALICE", "knows", "Bob")]


async def test_of_a_batch_the_oldest_memory_names_an_entity(graph: Graph) -> None:
    batch = [stating(2, ("Alice", "likes", "tea")), stating(3, ("aLICE", "likes", "jazz"))]
    await graph.project([stating(4, ("ALICE", "knows", "Bob"))])
    await graph.project(batch)
    assert {source for source, _, _ in await triples(graph)} == {"Alice"}


async def test_an_entity_has_the_type_of_a_memory_that_knows_it(graph: Graph) -> None:
    await graph.project([stating(1, WORKS), stating(2, entities=[Entity("ACME", "company")])])
    [stated] = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=10))
    assert stated.relation.target == Entity("ACME", "company")
    await graph.project([stating(2, entities=[Entity("ACME")], version=2)])
    [stated] = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=10))
    assert stated.relation.target == Entity("Acme", "")


async def test_relations_are_found_by_either_entity(graph: Graph) -> None:
    await graph.project([stating(1, WORKS, KNOWS, ("Bob", "lives_in", "Oslo"))])
    assert await triples(graph, entity="BOB") == [KNOWS, ("Bob", "lives_in", "Oslo")]
    assert await triples(graph, entity="Nobody") == []


async def test_relations_are_found_by_kind(graph: Graph) -> None:
    await graph.project([stating(1, WORKS, KNOWS)])
    assert await triples(graph, relation="Works at") == [WORKS]
    assert await triples(graph, relation="works") == []


async def test_a_relation_of_an_entity_to_itself_is_there_once(graph: Graph) -> None:
    itself = ("Alice", "likes", "Alice")
    await graph.project([stating(1, itself)])
    assert await triples(graph, entity="alice") == [itself]


async def test_projects_are_kept_apart(graph: Graph) -> None:
    await graph.project([stating(1, WORKS), stating(1, LIVES, project_id="project-2")])
    assert await triples(graph) == [WORKS]
    assert await triples(graph, project_id="project-2") == [LIVES]
    await graph.project([gone(1)])
    assert await triples(graph, project_id="project-2") == [LIVES]


async def test_users_are_kept_apart(graph: Graph) -> None:
    shouted = ("ALICE", "knows", "Bob")
    await graph.project(
        [
            stating(1, WORKS, scope=Scope(user_id="x")),
            stating(2, shouted, scope=Scope(agent_id="x")),
            stating(3, LIVES, scope=Scope(user_id="x", agent_id="y", run_id="z")),
            stating(4, KNOWS, scope=Scope(user_id="y")),
        ]
    )
    assert await triples(graph, Scope(user_id="x")) == [WORKS, LIVES]
    assert await triples(graph, Scope(user_id="y")) == [KNOWS]
    assert await triples(graph, Scope(user_id="z")) == []


async def test_a_star_is_no_wildcard(graph: Graph) -> None:
    await graph.project([stating(1, WORKS), stating(2, LIVES, scope=Scope(user_id="*"))])
    assert await triples(graph, Scope(user_id="*")) == [LIVES]


@pytest.mark.parametrize(
    "scope",
    [Scope(), Scope(agent_id="x"), Scope(run_id="x"), Scope(user_id="alice", app_id="x")],
    ids=str,
)
async def test_a_scope_that_sees_no_whole_space_is_refused(graph: Graph, scope: Scope) -> None:
    await graph.project([stating(1, WORKS)])
    with pytest.raises(ValueError, match="scope"):
        await triples(graph, scope)
    with pytest.raises(ValueError, match="scope"):
        await graph.list_entities(EntityQuery(GraphScope(PROJECT, scope), 10))


@pytest.mark.parametrize("page_size", [1, 2, 7, 100])
async def test_pages_give_every_relation_once_in_order(graph: Graph, page_size: int) -> None:
    names = ["Ann", "Ben", "Cy"]
    triples = [(s, r, t) for s in names for r in ("knows", "likes") for t in names]
    await graph.project([stating(n, *triples[n:], minute=n % 2) for n in range(1, 5)])
    seen = []
    query = RelationQuery(GraphScope(PROJECT, ALICE), limit=page_size)
    while page := await graph.list_relations(query):
        assert len(page) <= page_size
        seen += page
        query = replace(query, after=cursor_after(page[-1]))
    expected = [(memory_id(n), *t) for n in (1, 3, 2, 4) for t in sorted(triples[n:])]
    assert [(s.memory_id, *triple(s)) for s in seen] == expected


HOSTILE = [
    'O\'Brien "the" `tick`',
    "'}) MATCH (n) DETACH DELETE n //",
    "`]->() DETACH DELETE x; --",
    "$memories {{row.key}} \\u0027 \\",
    "\u202egnirts desrever\u202c \u200f\u200e",
    "日本語 🧠 \u0301",
    "ﷺ" * 512,
    "x" * 10_000,
    "\u2028\u00a0line",
    "",
]


@pytest.mark.parametrize("name", HOSTILE, ids=range(len(HOSTILE)))
async def test_names_are_data(graph: Graph, name: str) -> None:
    await graph.project([stating(1, WORKS), stating(2, (name, name, "Acme"), minute=1)])
    assert await triples(graph) == [(name, name, "Acme"), WORKS]
    assert await triples(graph, entity=name) == [(name, name, "Acme")]
    [first] = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=1))
    rest = RelationQuery(GraphScope(PROJECT, ALICE), limit=10, after=cursor_after(first))
    assert [triple(s) for s in await graph.list_relations(rest)] == [WORKS]
    await graph.project([gone(2)])
    assert await triples(graph) == [WORKS]


@pytest.mark.parametrize("name", HOSTILE[:-1], ids=range(len(HOSTILE) - 1))
async def test_scopes_are_data(graph: Graph, name: str) -> None:
    scope = Scope(user_id=name[:256])
    await graph.project([stating(1, WORKS, scope=scope), stating(2, LIVES)])
    assert await triples(graph, scope) == [WORKS]
    assert await triples(graph) == [LIVES]


async def test_long_names_that_begin_alike_are_different(graph: Graph) -> None:
    long = "y" * 9_000
    await graph.project([stating(1, (long + "1", "is_not", long + "2"))])
    assert await triples(graph, entity=long + "1") == [(long + "1", "is_not", long + "2")]
    assert await triples(graph, entity=long) == []


async def test_a_subgraph_that_cannot_be_held_is_refused_as_a_whole_batch(
    graph: Graph,
) -> None:
    timeless = replace(stating(2, LIVES), event_time=None)
    with pytest.raises(ValueError, match="event time"):
        await graph.project([stating(1, WORKS), timeless])
    with pytest.raises(ValueError, match="surrogates not allowed"):
        await graph.project([stating(1, WORKS), stating(2, ("\ud800", "is", "broken"))])
    assert await triples(graph) == []
    await graph.project([stating(1, WORKS)])
    assert await triples(graph) == [WORKS]


async def test_concurrent_writers_on_hot_entities_agree(graph: Graph) -> None:
    chance = random.Random(7)
    names = [f"Hot {n}" for n in range(6)]
    last: dict[int, MemorySubgraph] = {}

    def state(number: int, version: int) -> MemorySubgraph:
        if chance.random() < 0.2:
            return gone(number)
        triples = [(chance.choice(names), "knows", chance.choice(names)) for _ in range(3)]
        return stating(number, *triples, version=version)

    async def write(writer: int) -> None:
        for version in range(1, 9):
            batch = {number: state(number, version) for number in range(writer, writer + 5)}
            await graph.project(list(batch.values()))
            last.update(batch)

    await asyncio.gather(*(write(writer) for writer in range(0, 80, 10)))
    expected = {
        (subgraph.memory_id, r.source.name, r.relation, r.target.name)
        for subgraph in last.values()
        for r in subgraph.relations
    }
    stated = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), limit=1000))
    assert sorted((s.memory_id, *triple(s)) for s in stated) == sorted(expected)
    assert len(expected) > 60
