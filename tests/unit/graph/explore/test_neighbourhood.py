"""Following relations in memory."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations

from server.graph.explore.traversal import (
    FAN_OUT,
    MOST_RELATIONS,
    explore,
    shortest_paths,
    within_hops,
)
from server.graph.model import Entity, Relation, StatedRelation
from tests.support.subgraphs import NOON, memory_id, triple


def stated(number: int, source: str, target: str, minute: int = 0) -> StatedRelation:
    relation = Relation(Entity(source), "knows", Entity(target))
    return StatedRelation(relation, memory_id(number), NOON + timedelta(minutes=minute))


def names_of(paths: list[list[StatedRelation]]) -> list[list[str]]:
    return [["-".join((triple(s)[0], triple(s)[2])) for s in path] for path in paths]


CHAIN = [stated(1, "a", "b"), stated(2, "c", "b"), stated(3, "c", "d"), stated(4, "x", "y")]


def test_reached_entities_have_their_distance_and_path() -> None:
    distances, relations = within_hops(CHAIN, "a", 2)
    assert distances == {"a": 0, "b": 1, "c": 2}
    assert relations == CHAIN[:2]


def test_entities_behind_a_missing_relation_are_not_reached() -> None:
    distances, relations = within_hops([CHAIN[0], CHAIN[2]], "a", 3)
    assert distances == {"a": 0, "b": 1}
    assert relations == [CHAIN[0]]


def test_relations_are_ordered_by_distance_then_newest_first() -> None:
    relations = [stated(1, "a", "b", 1), stated(2, "b", "c", 9), stated(3, "a", "d", 5)]
    assert within_hops(relations, "a", 2)[1] == [relations[2], relations[0], relations[1]]


def test_the_result_does_not_depend_on_the_order_of_relations() -> None:
    fan = [stated(1, "a", "b"), stated(2, "a", "c"), stated(3, "d", "a", minute=1)]
    orders = {tuple(within_hops(given, "a", 1)[0]) for given in permutations(fan)}
    assert orders == {("a", "d", "b", "c")}


def test_a_relation_of_an_entity_with_itself_is_ignored() -> None:
    loop = stated(1, "a", "a")
    assert within_hops([loop], "a", 2) == ({"a": 0}, [loop])


def test_an_exploration_ends_after_its_number_of_hops() -> None:
    assert explore(CHAIN, "a", 2) == ([CHAIN[0], CHAIN[1]], False)
    assert explore(CHAIN, "a", 3) == (CHAIN[:3], False)
    assert explore(CHAIN, "nobody", 3) == ([], False)


def test_only_the_newest_relations_of_a_hub_are_followed() -> None:
    star = [stated(n, "hub", f"n{n}", minute=n) for n in range(FAN_OUT + 1)]
    assert explore(star, "hub", 1) == (star[:0:-1], True)
    assert explore(star[1:], "hub", 1) == (star[:0:-1], False)
    assert explore(star, "n0", 1) == ([star[0]], False)


def test_an_exploration_returns_a_limited_number_of_relations() -> None:
    near = [stated(n, "hub", f"n{n}") for n in range(FAN_OUT)]
    far = [stated(n * 100 + m, f"n{n}", f"m{n}-{m}") for n in range(FAN_OUT) for m in range(10)]
    around, truncated = explore(near + far, "hub", 2)
    assert len(around) == MOST_RELATIONS
    assert set(near) < set(around)
    assert truncated


def test_the_shortest_path_comes_first() -> None:
    relations = [*CHAIN, stated(5, "a", "d")]
    assert names_of(shortest_paths(relations, "a", "d", 4, 5)) == [["a-d"], ["a-b", "c-b", "c-d"]]
    assert names_of(shortest_paths(relations, "a", "d", 4, 1)) == [["a-d"]]
    assert names_of(shortest_paths(relations, "a", "d", 2, 5)) == [["a-d"]]


def test_there_is_no_path_to_an_unconnected_or_the_same_entity() -> None:
    assert shortest_paths(CHAIN, "a", "y", 6, 5) == []
    assert shortest_paths(CHAIN, "a", "a", 6, 5) == []


def test_a_path_contains_the_newest_of_several_relations() -> None:
    older, newer = stated(1, "a", "b", 1), stated(2, "b", "a", 2)
    assert shortest_paths([newer, older], "a", "b", 3, 5) == [[newer]]


def test_the_search_of_a_dense_graph_is_limited() -> None:
    letters = [f"n{n}" for n in range(40)]
    dense = [
        stated(i * 100 + j, a, b)
        for i, a in enumerate(letters)
        for j, b in enumerate(letters)
        if i < j
    ]
    paths = shortest_paths(dense, "n0", "n39", 6, 50)
    assert len(paths) == 50
    assert [len(path) for path in paths] == sorted(len(path) for path in paths)
