"""Which names stand for one entity."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.graph.names import Joins, TaughtAlias


def teaching(memory: str, name: str, alias: str) -> TaughtAlias:
    return TaughtAlias(memory, name, alias)


BOB = teaching("1", "Robert Smith", "Bob")


def test_an_alias_stands_for_its_entity() -> None:
    joins = Joins([BOB])
    assert joins.key("bob") == joins.key("robert smith") == "robert smith"
    assert joins.aliases == {"robert smith": ("Bob",)}
    assert joins.key("anna") == "anna"


def test_what_nobody_teaches_any_more_is_apart() -> None:
    assert Joins([]).key("bob") == "bob"
    assert Joins([BOB]).changed(Joins([])) == {"bob", "robert smith"}
    assert Joins([BOB]).changed(Joins([teaching("2", "robert smith", "BOB"), BOB])) == frozenset()


def test_aliases_of_aliases_lead_to_the_end() -> None:
    joins = Joins([BOB, teaching("2", "Bob", "Bobby")])
    assert joins.key("bobby") == "robert smith"
    assert joins.aliases == {"robert smith": ("Bob", "Bobby")}


def test_a_name_of_two_entities_joins_neither() -> None:
    joins = Joins([BOB, teaching("2", "Robert Jones", "Bob")])
    assert [joins.key(key) for key in ("bob", "robert smith", "robert jones")] == [
        "bob",
        "robert smith",
        "robert jones",
    ]
    assert joins.aliases == {}


def test_names_that_stand_for_each_other_are_one() -> None:
    joins = Joins([BOB, teaching("2", "bob", "robert smith")])
    assert joins.key("bob") == joins.key("robert smith") == "bob"
    assert joins.aliases == {"bob": ("Robert Smith",)}


def test_a_name_is_no_alias_of_itself() -> None:
    assert Joins([teaching("1", "Bob", " BOB "), teaching("1", "Bob", "  ")]).resolved == {}


names = st.sampled_from(["A", "B", "C", "D", "b"])
lessons = st.lists(st.builds(teaching, st.sampled_from("123"), names, names), max_size=8)


@given(lessons, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_the_result_is_settled(
    taught: list[TaughtAlias], order: object
) -> None:
    shuffled = list(taught)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    joins, again = Joins(taught), Joins(shuffled)
    assert (joins.resolved, joins.aliases) == (again.resolved, again.aliases)
    assert all(joins.key(entity) == entity for entity in joins.resolved.values())


@given(lessons, lessons)
def test_what_changes_is_all_that_looks_different(
    before: list[TaughtAlias], after: list[TaughtAlias]
) -> None:
    old, new = Joins(before), Joins(after)
    changed = old.changed(new)
    for key in "abcd":
        looks = [(joins.key(key), joins.aliases.get(joins.key(key))) for joins in (old, new)]
        assert (looks[0] == looks[1]) or key in changed
