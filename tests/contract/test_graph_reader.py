"""Contract of the port `GraphReader`."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from server.graph.explore.traversal import FAN_OUT, explore
from server.graph.model import Entity, EntityCursor, EntityRef, words_of
from server.graph.ports import EntityQuery, Graph, GraphScope, RelationQuery
from server.memories.scope import Scope
from tests.support.subgraphs import ALICE, NOON, PROJECT, Triple, gone, memory_id, stating, triple

WORKS = ("Alice", "works_at", "Acme")
LIVES = ("Alice", "lives_in", "Oslo")
KNOWS = ("Bob", "knows", "Alice")
MAKES = ("Acme", "makes", "Anvils")
WITHIN = GraphScope(PROJECT, ALICE)

HOSTILE = [
    'O\'Brien "the" `tick`',
    "x}) DETACH DELETE (n) //",
    'a" OR *:* AND (b:c)^9~ [1 TO 2] \\ /re.*/ && || !+-?',
    "\u202eright\u202c-to-left",
    "ﷺ" * 500,
    "नमस्ते दुनिया",
]


def ref(name: str, space: str = "user:alice") -> EntityRef:
    return EntityRef(space, name.casefold())


async def found(graph: Graph, name: str, within: GraphScope = WITHIN) -> list[str]:
    return [each.known.entity.name for each in await graph.find_entities(within, name)]


async def listed(graph: Graph, query: str = "", within: GraphScope = WITHIN) -> list[str]:
    page = await graph.list_entities(EntityQuery(within, 100, words_of(query)))
    return [each.known.entity.name for each in page.items]


async def around(graph: Graph, name: str, hops: int, within: GraphScope = WITHIN) -> set[Triple]:
    surroundings = await graph.explore(within, ref(name), hops)
    return {triple(stated) for stated in surroundings.relations}


async def test_an_entity_comes_with_its_type_aliases_and_memories(graph: Graph) -> None:
    alice = Entity("Alice", "person", ("Ally",))
    first = stating(1, WORKS, entities=[alice])
    await graph.project([replace(first, aliases={"alice": ("Ally",)}), stating(2, LIVES)])
    [entity] = await graph.find_entities(WITHIN, "  aLICE ")
    assert entity.known.ref == ref("alice")
    assert entity.known.entity == Entity("Alice", "person", ("Ally",))
    assert entity.known.memory_count == 2
    assert entity.memory_ids == [memory_id(2), memory_id(1)]


async def test_an_entity_is_found_by_its_alias_while_it_is_stated(graph: Graph) -> None:
    met, likes = stating(1, ("Bob", "met", "Alice")), stating(2, ("Robert Smith", "likes", "Tea"))
    joined, aliases = {"bob": "robert smith"}, {"robert smith": ("Bob",)}
    await graph.project([replace(each, joined=joined, aliases=aliases) for each in (met, likes)])
    assert await found(graph, "BOB") == ["Robert Smith"]
    assert await listed(graph, "bob") == ["Robert Smith"]
    query = RelationQuery(GraphScope(PROJECT, ALICE), 10, entity="bob")
    assert len(await graph.list_relations(query)) == 2
    await graph.project([replace(met, version=2), gone(2)])
    assert await found(graph, "Bob") == ["Bob"]
    assert await found(graph, "Robert Smith") == []


async def test_nothing_is_found_of_other_projects_and_spaces(graph: Graph) -> None:
    await graph.project(
        [
            stating(1, WORKS, project_id="other"),
            stating(2, WORKS, scope=Scope(user_id="bob")),
            stating(3, LIVES, scope=Scope(user_id="alice", run_id="run-1")),
            stating(4, WORKS, scope=Scope(agent_id="helper")),
        ]
    )
    assert await found(graph, "Acme") == []
    assert await listed(graph, "acme") == []
    assert await listed(graph) == ["Alice", "Oslo"]
    assert await around(graph, "alice", 3) == {LIVES}


async def test_entities_are_listed_page_by_page(graph: Graph) -> None:
    scopes = [ALICE, replace(ALICE, agent_id="helper")]
    await graph.project(
        [
            stating(n, (f"Person {n:02}", "knows", "Everyone"), scope=scopes[n % 2])
            for n in range(25)
        ]
    )
    names: list[str] = []
    query = EntityQuery(WITHIN, 4)
    while True:
        page = await graph.list_entities(query)
        names += [each.known.entity.name for each in page.items]
        if page.next is None:
            break
        query = replace(query, after=page.next)
    assert names == ["Everyone", *(f"Person {n:02}" for n in range(25))]


async def test_matches_are_listed_page_by_page(graph: Graph) -> None:
    await graph.project([stating(n, (f"Person {n}", "knows", "Everyone")) for n in range(10)])
    query, names = EntityQuery(WITHIN, 4, ("person",)), []
    after: EntityCursor | None = None
    while True:
        page = await graph.list_entities(replace(query, after=after))
        names += [each.known.entity.name for each in page.items]
        after = page.next
        if after is None:
            break
    assert sorted(names) == [f"Person {n}" for n in range(10)]


@pytest.mark.parametrize("query", ["Katharina", "katha", "kathrina", "Catharina", "weiss kat"])
async def test_names_are_found_by_beginnings_and_when_misspelt(graph: Graph, query: str) -> None:
    await graph.project([stating(1, ("Katharina Weiss", "knows", "Bob"))])
    assert await listed(graph, query) == ["Katharina Weiss"]


@pytest.mark.parametrize("query", ["arina", "Bo Weiss", "B0", "Katherine Zeta"])
async def test_dissimilar_names_are_not_found(graph: Graph, query: str) -> None:
    await graph.project([stating(1, ("Katharina Weiss", "knows", "Bob"))])
    assert await listed(graph, query) == []


async def test_the_best_match_comes_first(graph: Graph) -> None:
    await graph.project([stating(1, ("Anna", "knows", "Annabel"), ("Anne", "knows", "Hanna"))])
    assert (await listed(graph, "anna"))[:2] == ["Anna", "Annabel"]


@pytest.mark.parametrize("name", HOSTILE)
async def test_hostile_names_are_data(graph: Graph, name: str) -> None:
    await graph.project([stating(1, (name, "knows", "Bob")), stating(2, WORKS)])
    [entity] = await graph.find_entities(WITHIN, name)
    assert entity.known.entity.name == name
    assert name in await listed(graph, name[:100])
    surroundings = await graph.explore(WITHIN, entity.known.ref, 3)
    assert [triple(stated) for stated in surroundings.relations] == [(name, "knows", "Bob")]
    assert await found(graph, "Acme") == ["Acme"]


async def test_a_neighbourhood_grows_with_its_hops(graph: Graph) -> None:
    await graph.project([stating(1, KNOWS), stating(2, WORKS), stating(3, MAKES)])
    assert await around(graph, "bob", 1) == {KNOWS}
    assert await around(graph, "bob", 2) == {KNOWS, WORKS}
    assert await around(graph, "bob", 3) == {KNOWS, WORKS, MAKES}
    surroundings = await graph.explore(WITHIN, ref("bob"), 3)
    assert set(surroundings.entities) == {"bob", "alice", "acme", "anvils"}
    assert not surroundings.truncated
    assert [s.memory_id for s in surroundings.relations] == [memory_id(n) for n in (1, 2, 3)]


async def test_superseded_relations_are_left_out_on_request(graph: Graph) -> None:
    later = ("Alice", "lives_in", "Rome")
    await graph.project([stating(1, LIVES, minute=1), stating(2, later, minute=5)])
    now = replace(WITHIN, holding_at=NOON + timedelta(minutes=9))
    then = replace(WITHIN, holding_at=NOON + timedelta(minutes=2))
    assert await around(graph, "alice", 1, now) == {later}
    assert await around(graph, "alice", 1, then) == {LIVES, later}
    ends = {
        triple(stated): stated.superseded_at
        for stated in await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), 10))
    }
    assert ends == {LIVES: NOON + timedelta(minutes=5), later: None}
    query = RelationQuery(now, 10)
    assert [triple(stated) for stated in await graph.list_relations(query)] == [later]


async def test_of_an_entity_with_many_relations_the_newest_are_followed(graph: Graph) -> None:
    many = [(n, (f"Person {n}", "knows", "Hub")) for n in range(FAN_OUT + 20)]
    await graph.project([stating(n, said, minute=n) for n, said in many])
    surroundings = await graph.explore(WITHIN, ref("hub"), 1)
    assert surroundings.truncated
    assert {triple(stated) for stated in surroundings.relations} == {
        said for n, said in many if n >= 20
    }


@pytest.mark.parametrize("hops", [1, 2, 3])
async def test_the_past_is_explored_as_the_graph_is(graph: Graph, hops: int) -> None:
    many = [(n, (f"Person {n}", "knows", "Hub")) for n in range(FAN_OUT + 20)]
    further = [(n + 500, (f"Person {n}", "knows", f"Person {n * 7 % 60}")) for n in range(200)]
    await graph.project([stating(n, said, minute=n) for n, said in (*many, *further)])
    stated = await graph.list_relations(RelationQuery(GraphScope(PROJECT, ALICE), 1000))
    for start in ("hub", "person 3"):
        surroundings = await graph.explore(WITHIN, ref(start), hops)
        assert (list(surroundings.relations), surroundings.truncated) == explore(
            stated, start, hops
        )


async def test_an_unknown_entity_has_no_surroundings(graph: Graph) -> None:
    surroundings = await graph.explore(WITHIN, ref("nobody"), 3)
    assert surroundings.relations == []
    assert surroundings.entities == {}
