"""The entities that memories mention after names were split."""

from __future__ import annotations

import pytest

from server.graph.model import Entity, Relation
from server.graph.names import pair_of, with_splits

BOB = Entity("Bob", "person", aliases=("Robert", "Bobby"))
OSLO = Entity("Oslo", "place")
SPLITS = {pair_of("robert", "BOB")}


def names(text: str, entity: Entity = BOB) -> tuple[str, tuple[str, ...], str]:
    relation = Relation(Entity(entity.name, entity.type), "lives_in", OSLO)
    [first, _], [stated] = with_splits([entity, OSLO], [relation], text, SPLITS)
    return first.name, first.aliases, stated.source.name


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Robert lives in Oslo", ("Robert", ("Bobby",), "Robert")),
        ("Bob lives in Oslo", ("Bob", ("Bobby",), "Bob")),
        ("Bob, also called Robert, lives in Oslo", ("Bob", ("Bobby",), "Bob")),
        ("He lives in Oslo", ("Bob", ("Bobby",), "Bob")),
        ("Roberta lives in Oslo", ("Bob", ("Bobby",), "Bob")),
    ],
)
def test_a_memory_keeps_the_name_in_its_text(
    text: str, found: tuple[str, tuple[str, ...], str]
) -> None:
    assert names(text) == found


def test_other_names_stay_unchanged() -> None:
    rob = Entity("Rob", "person", aliases=("Robert",))
    assert names("Robert lives in Oslo", rob) == ("Rob", ("Robert",), "Rob")


def test_without_splits_nothing_changes() -> None:
    assert with_splits([BOB], [], "Robert", frozenset()) == ((BOB,), ())
