"""Finding names by similar words."""

from __future__ import annotations

import pytest

from server.graph.model import Entity, words_of
from server.graph.names import match_score

ACME = Entity("Acme Rockets", "company", ("The Coyote's Shop",))


@pytest.mark.parametrize(
    "query",
    [
        "acme",
        "ACME rockets",
        "rock",
        "Rokets",
        "Rocekts",
        "Rocketss",
        "coyote",
        "acme shop",
        "acne",
    ],
)
def test_words_match_exactly_by_prefix_and_approximately(query: str) -> None:
    assert match_score(words_of(query), ACME) > 0


@pytest.mark.parametrize("query", ["ckets", "zz", "acme zebra", "ae", "rxcxexs", "rocketship"])
def test_dissimilar_names_do_not_match(query: str) -> None:
    assert match_score(words_of(query), ACME) == 0


def test_better_matches_score_higher() -> None:
    names = ["Anna", "Anna Maria", "Annabel", "Anja"]
    scores = [match_score(["anna"], Entity(name)) for name in names]
    assert scores == sorted(scores, reverse=True)
    assert len(set(scores)) == len(scores)
    assert min(scores) > 0


def test_a_name_without_words_matches_nothing() -> None:
    assert match_score(["a"], Entity("?!")) == 0
