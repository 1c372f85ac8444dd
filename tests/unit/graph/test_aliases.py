"""Which names belong to one entity."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.graph.names import Joins, StatedAlias


def stated(memory: str, name: str, alias: str) -> StatedAlias:
    return StatedAlias(memory, name, alias)


BOB = stated("1", "Robert Smith", "Bob")


def test_an_alias_belongs_to_its_entity() -> None:
    joins = Joins([BOB])
    assert joins.key("bob") == joins.key("robert smith") == "robert smith"
    assert joins.aliases == {"robert smith": ("Bob",)}
    assert joins.key("anna") == "anna"


def test_names_are_separate_once_no_memory_states_the_alias() -> None:
    assert Joins([]).key("bob") == "bob"
    assert Joins([BOB]).changed(Joins([])) == {"bob", "robert smith"}
    assert Joins([BOB]).changed(Joins([stated("2", "robert smith", "BOB"), BOB])) == frozenset()


def test_aliases_of_aliases_lead_to_the_last_name() -> None:
    joins = Joins([BOB, stated("2", "Bob", "Bobby")])
    assert joins.key("bobby") == "robert smith"
    assert joins.aliases == {"robert smith": ("Bob", "Bobby")}


def test_a_name_of_two_entities_joins_neither() -> None:
    joins = Joins([BOB, stated("2", "Robert Jones", "Bob")])
    assert [joins.key(key) for key in ("bob", "robert smith", "robert jones")] == [
        "bob",
        "robert smith",
        "robert jones",
    ]
    assert joins.aliases == {}


def test_names_that_are_aliases_of_each_other_are_one_entity() -> None:
    joins = Joins([BOB, stated("2", "bob", "robert smith")])
    assert joins.key("bob") == joins.key("robert smith") == "bob"
    assert joins.aliases == {"bob": ("Robert Smith",)}


def test_a_name_is_not_an_alias_of_itself() -> None:
    assert Joins([stated("1", "Bob", " BOB "), stated("1", "Bob", "  ")]).resolved == {}


names = st.sampled_from(["A", "B", "C", "D", "b"])
stated_aliases = st.lists(st.builds(stated, st.sampled_from("123"), names, names), max_size=8)


@given(stated_aliases, st.randoms(use_true_random=False))
def test_order_does_not_matter_and_entities_have_no_other_key(
    aliases: list[StatedAlias], order: object
) -> None:
    shuffled = list(aliases)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    joins, again = Joins(aliases), Joins(shuffled)
    assert (joins.resolved, joins.aliases) == (again.resolved, again.aliases)
    assert all(joins.key(entity) == entity for entity in joins.resolved.values())


@given(stated_aliases, stated_aliases)
def test_every_key_that_looks_different_counts_as_changed(
    before: list[StatedAlias], after: list[StatedAlias]
) -> None:
    old, new = Joins(before), Joins(after)
    changed = old.changed(new)
    for key in "abcd":
        looks = [(joins.key(key), joins.aliases.get(joins.key(key))) for joins in (old, new)]
        assert (looks[0] == looks[1]) or key in changed
