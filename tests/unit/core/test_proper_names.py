"""Finding the names in a question."""

from __future__ import annotations

import pytest

from server.core.text import proper_names, without_names


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("When did Caroline go to the LGBTQ support group", ["Caroline", "LGBTQ"]),
        ("What did I tell Anna about my plans", ["Anna"]),
        ("What's new. Did I've got mail from Bob today", ["Bob"]),
        ("where was she born", []),
        ("Anna", []),
        ("Wann war Anna im Krankenhaus", []),
        ("", []),
    ],
)
def test_names_are_capitalized_words_within_a_sentence(question: str, names: list[str]) -> None:
    assert proper_names(question) == names


@pytest.mark.parametrize(
    ("question", "rest"),
    [
        ("When did Caroline's sister meet Caroline?", "When did sister meet"),
        ("What is Anna's plan?", "What is plan?"),
        ("Anna", "Anna"),
        ("", ""),
    ],
)
def test_names_can_be_removed_from_a_question(question: str, rest: str) -> None:
    assert without_names(question) == rest
