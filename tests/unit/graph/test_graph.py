"""Folding names of entities and relations, regardless of spelling."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.text import is_word_character
from server.graph.model import (
    MAX_NAME_LENGTH,
    MAX_RELATION_LENGTH,
    Entity,
    clean_name,
    entity_key,
    relation_name,
    words_of,
)

# Letters that fold to several characters, and marks that combine with the folded characters.
TRICKY = (
    "\u00df\u0130\u0131\u017f\u212a\u0390\u03b0\u03aa\u01f0\ufb01\u1e9e\u0967\ufdfaAa\u00e9"
    "\u0301\u0308\u0327\u0345\u200d\u00a0\u2028 _.-\t\0"
)
texts = st.text() | st.text(TRICKY, max_size=12)


@given(texts)
def test_folding_an_entity_twice_changes_nothing(name: str) -> None:
    key = entity_key(name)
    assert entity_key(key) == key


@given(texts)
def test_an_entity_key_is_at_most_18_times_as_long_as_the_name(name: str) -> None:
    assert len(entity_key(name)) <= 18 * len(name)


@pytest.mark.parametrize("form", ["NFC", "NFD", "NFKC", "NFKD"])
@given(name=texts)
def test_all_encodings_of_a_name_are_one_entity(form: str, name: str) -> None:
    encoded = unicodedata.normalize(form, name)  # type: ignore[arg-type] # the forms are literals
    assert entity_key(encoded) == entity_key(name)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Alice", "ALICE"),
        ("  New \t York ", "new york"),
        ("Straße", "STRASSE"),
        ("Zoe\u0308", "Zoë"),
        ("\uff21cme", "Acme"),  # a full-width A
    ],
)
def test_spellings_of_one_entity_have_one_key(one: str, other: str) -> None:
    assert Entity(one).key == Entity(other, "person").key


def test_different_entities_have_different_keys() -> None:
    assert len({entity_key(name) for name in ("Alice", "Alicia", "Al ice", "Álice")}) == 4


@given(texts)
def test_folding_a_relation_twice_changes_nothing(text: str) -> None:
    name = relation_name(text)
    assert relation_name(name) == name


def test_letters_and_digits_of_ascii_are_parts_of_words_and_nothing_else_is() -> None:
    for character in map(chr, range(128)):
        assert bool(words_of(character)) == is_word_character(character), repr(character)


@given(texts | st.text(TRICKY, min_size=100, max_size=300))
def test_a_relation_is_one_short_word(text: str) -> None:
    name = relation_name(text)
    assert len(name) <= MAX_RELATION_LENGTH
    assert name == "_".join(name.split("_"))
    assert not name.startswith("_")
    assert not name.endswith("_")
    assert "__" not in name
    assert all(c == "_" or c.isalnum() or unicodedata.category(c)[0] == "M" for c in name)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Works at", "works_at"),
        ("works__at!", "works_at"),
        ("isn't-a", "isn_t_a"),
        ("KENNT'", "kennt"),
        ("में रहता है", "में_रहता_है"),
        ("προΐσταται", "προΐσταται"),
        ("...", ""),
        ("", ""),
        ("x" * 127 + " y", "x" * 127),
        ("x" * 200, "x" * 128),
    ],
)
def test_relations_become_snake_case(text: str, name: str) -> None:
    assert relation_name(text) == name


@given(texts | st.text(TRICKY, min_size=500, max_size=1000))
def test_a_clean_name_is_one_short_line(text: str) -> None:
    name = clean_name(text)
    assert len(name) <= MAX_NAME_LENGTH
    assert name == " ".join(name.split())
    assert not any(unicodedata.category(c) == "Cc" for c in name)
    assert clean_name(name) == name
