"""Which names are joined to one entity, and which are not."""

from __future__ import annotations

import pytest

from server.graph.model import Entity
from server.memories.add.entity_resolution import (
    EntityResolver,
    KnownEntities,
    are_alike,
    is_generic,
    known_entities,
)
from server.memories.add.inference import ProposedEntity

ROBERT = Entity("Robert Smith", "person")
ACME = Entity("Acme", "organization")
SAID = "Bob, as Robert Smith is called, joined Acme Inc. with his brother and Anna"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Acme", "Acme Inc."),
        ("ACME, Inc", "acme"),
        ("The Beatles", "Beatles"),
        ("Dr. Robert Smith", "Robert Smith"),
        ("Müller GmbH & Co. KG", "Müller"),
    ],
)
def test_names_that_differ_only_in_form_are_similar(one: str, other: str) -> None:
    assert are_alike(one, other)
    assert are_alike(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "Hanna"),
        ("Johnson", "Johnston"),
        ("Robert", "Robert Smith"),
        ("Smith", "Smithson"),
        ("Acme East", "Acme West"),
        ("Acme 1", "Acme 2"),
        ("The Group", "Group Inc."),
        ("AB Co", "AB"),
        ("Inc", "Ltd"),
        ("", ""),
        ("Jo", "The Jo"),
    ],
)
def test_names_of_different_entities_are_not_similar(one: str, other: str) -> None:
    assert not are_alike(one, other)


@pytest.mark.parametrize("name", ["he", "my brother", "The Company", "user", "", "!!", "a friend"])
def test_descriptions_that_fit_anybody_are_generic(name: str) -> None:
    assert is_generic(name)


@pytest.mark.parametrize(
    "name", ["Bob", "Acme", "User's brother", "The Who", "李", "Company of Heroes"]
)
def test_names_are_not_generic(name: str) -> None:
    assert not is_generic(name)


def resolve(*known: Entity, said: str = SAID, **proposed: object) -> Entity:
    return EntityResolver(KnownEntities(known), said).resolve(ProposedEntity(**proposed))  # type: ignore[arg-type]


def test_aliases_in_the_text_are_kept() -> None:
    assert resolve(name="Robert Smith", aliases=["Bob", "bob", "Robert  Smith"]).aliases == ("Bob",)


@pytest.mark.parametrize("alias", ["Rob", "he", "my brother", "brother", "", "Bo"])
def test_generic_aliases_and_aliases_not_in_the_text_are_left_out(alias: str) -> None:
    assert resolve(name="Robert Smith", aliases=[alias]).aliases == ()


def test_the_number_of_a_fitting_entity_joins_the_names() -> None:
    assert resolve(ACME, ROBERT, name="Bob", known=2) == Entity("Robert Smith", "person", ("Bob",))


@pytest.mark.parametrize(
    ("name", "kind", "known"),
    [("Bob", "place", 2), ("Bob", "", 3), ("Bob", "", 0), ("Bob", "", -1), ("he", "", 2),
     ("Carol", "", 2)],
)  # fmt: skip
def test_the_number_of_an_unfitting_entity_joins_nothing(name: str, kind: str, known: int) -> None:
    resolved = resolve(ACME, ROBERT, name=name, type=kind, known=known)
    assert resolved == Entity(name, kind)


def test_a_similar_name_is_joined_unless_types_differ_or_two_entities_match() -> None:
    joined = Entity("Acme", "organization", ("Acme Inc.",))
    assert resolve(ACME, name="Acme Inc.") == joined
    assert resolve(ACME, name="Acme Inc.", type="place") == Entity("Acme Inc.", "place")
    other = Entity("The Acme", "organization")
    assert resolve(ACME, other, name="Acme Inc.") == Entity("Acme Inc.")
    assert resolve(Entity("Hanna"), name="Anna") == Entity("Anna")


def test_known_entities_are_distinct_and_limited() -> None:
    mentioned = [Entity("Bob"), Entity("BOB", "person"), ACME, ROBERT]
    assert known_entities(mentioned, 2) == [Entity("Bob", "person"), ACME]
