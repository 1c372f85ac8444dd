"""Which facts are near duplicates."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.add.duplicates import KnownFacts
from server.models.offline.embedder import OfflineEmbedder
from server.models.ports import EmbeddingPurpose
from tests.support.builders import vector

SAME = [
    ("User likes tea.", "The user likes tea"),
    ("User is vegetarian", "User is a vegetarian"),
    ("Alice works at Acme as an engineer", "Alice works as an engineer at Acme"),
    ("Alice was born in Berlin in 1990", "Alice was born in 1990 in Berlin"),
    ("Alice has moved to Lisbon", "Alice moved to Lisbon"),
    ("User prefers window seats", "The user prefers a window seat"),
    ("Alice\u2019s dog is called Rex", "Alice's dog is called Rex!"),
]
DIFFERENT = [
    ("User likes tea", "User does not like tea"),
    ("User likes tea", "User dislikes tea"),
    ("User never eats meat", "User eats meat"),
    ("User has no cats", "User has cats"),
    ("User has 2 cats", "User has 3 cats"),
    ("User pays $4.50 for coffee", "User pays $4.05 for coffee"),
    ("User was born on 1990-01-02", "User was born on 1990-02-01"),
    ("Alice lives in Lisbon", "Alice lives in Porto"),
    ("Alice lives in Lisbon", "Bob lives in Lisbon"),
    ("Tom loves Ann", "Ann loves Tom"),
    ("Tom lives with Ann", "Ann lives with Tom"),
    ("User prefers tea over coffee", "User prefers coffee over tea"),
    ("User bought a car last week", "User sold a car last week"),
    ("User is married", "User was married"),
    ("User has a cat", "User had a cat"),
    ("User used to play the guitar", "User plays the guitar"),
    ("User may visit the museum", "User visited the museum"),
    ("User flies to Lisbon", "User flies from Lisbon"),
    ("Alice is a manager", "Alice has a manager"),
    ("User codes in C", "User codes in C++"),
]
NEAR, FAR = vector(1, 0.1), vector(0, 1)


@pytest.fixture(scope="module")
def embedder() -> OfflineEmbedder:
    return OfflineEmbedder.load()


async def is_near_duplicate(embedder: OfflineEmbedder, first: str, second: str) -> bool:
    one, other = await embedder.embed([first, second], EmbeddingPurpose.DOCUMENT)
    return knowing(first, one, embedder.near_duplicate_similarity).has(second, other)


def knowing(text: str, vector: Sequence[float], threshold: float) -> KnownFacts:
    """Returns the known facts with one fact."""
    known = KnownFacts(threshold)
    known.add(text, vector)
    return known


@pytest.mark.parametrize(("first", "second"), SAME)
async def test_facts_in_almost_the_same_words_are_duplicates(
    embedder: OfflineEmbedder, first: str, second: str
) -> None:
    assert await is_near_duplicate(embedder, first, second)
    assert await is_near_duplicate(embedder, second, first)


@pytest.mark.parametrize(("first", "second"), DIFFERENT)
def test_facts_with_different_meanings_are_not_duplicates_despite_equal_vectors(
    first: str, second: str
) -> None:
    assert not knowing(first, NEAR, -1.0).has(second, NEAR)
    assert not knowing(second, NEAR, -1.0).has(first, NEAR)


def test_the_vectors_must_be_close_too() -> None:
    known = knowing("User likes tea", NEAR, 0.9)
    assert known.has("The user likes tea", vector(1, 0))
    assert not known.has("The user likes tea", FAR)
    known.add("A user likes tea", FAR)
    assert known.has("The user likes tea", FAR)


@given(st.text())
def test_a_text_is_a_near_duplicate_of_itself(text: str) -> None:
    assert knowing(text, NEAR, 0.9).has(text, NEAR)
