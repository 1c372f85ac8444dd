"""Includes and excludes are applied to answers by words and categories."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.add.inference import BUILT_IN_CATEGORIES, Category, InferenceAnswer, Wish
from server.memories.changes import Deletion
from tests.support.plans import plan_of
from tests.support.proposals import operation, request

SUSHI = ("Alice loves sushi", ["food"])
PLAIN_SUSHI: tuple[str, list[str]] = ("Alice loves sushi", [])
DIABETES = ("Alice has diabetes", ["health"])
SALARY = ("Alice earns a salary of 50,000", ["professional_details"])
ACME = ("Alice works at Acme", ["professional_details"])
SEAT = ("Alice prefers window seats", ["user_preferences", "travel"])
REX = ("Rex is four", ["family"])


@pytest.mark.parametrize(
    ("wish", "kept", "left_out"),
    [
        ("only food preferences", [SUSHI], [PLAIN_SUSHI, DIABETES, SEAT]),
        ("Only remember food and travelling", [SUSHI, SEAT], [DIABETES]),
        ("preferences", [SEAT], [SUSHI]),
        ("everything except health", [SUSHI, ACME], [DIABETES]),
        ("only what concerns my dog", [REX, SUSHI], []),
        ("everything", [SUSHI, DIABETES], []),
        ("food, or anything about Acme", [SUSHI, ACME], [DIABETES]),
    ],
)
def test_facts_are_kept_by_includes(
    wish: str, kept: list[tuple[str, list[str]]], left_out: list[tuple[str, list[str]]]
) -> None:
    read = Wish(wish, BUILT_IN_CATEGORIES)
    assert [fact for fact in kept if not read.includes(*fact)] == []
    assert [fact for fact in left_out if read.includes(*fact)] == []


@pytest.mark.parametrize(
    ("wish", "kept", "left_out"),
    [
        ("health information", [SUSHI, ACME], [DIABETES]),
        ("my salary", [ACME, SUSHI], [SALARY]),
        ("Do not store anything about work", [SUSHI, SALARY], [ACME]),
        ("professional details but not the salary", [SALARY, SUSHI], [ACME]),
        ("everything except food", [SUSHI], [DIABETES, ACME]),
    ],
)
def test_facts_are_dropped_by_excludes(
    wish: str, kept: list[tuple[str, list[str]]], left_out: list[tuple[str, list[str]]]
) -> None:
    read = Wish(wish, BUILT_IN_CATEGORIES)
    assert [fact for fact in kept if read.excludes(*fact)] == []
    assert [fact for fact in left_out if not read.excludes(*fact)] == []


def test_custom_categories_are_named_by_their_words() -> None:
    read = Wish("only gardening", [Category("garden_plants", "what they grow")])
    assert read.includes("Alice grows roses", ["garden_plants"])
    assert not read.includes("Alice grows old", [])


@given(st.text(max_size=40), st.text(max_size=40), st.lists(st.sampled_from(["food", "health"])))
def test_any_text_can_be_an_include_or_exclude(
    wish: str, text: str, categories: Sequence[str]
) -> None:
    read = Wish(wish, BUILT_IN_CATEGORIES)
    assert isinstance(read.includes(text, categories), bool)
    assert isinstance(read.excludes(text, categories), bool)


def test_a_plan_leaves_out_unwanted_facts() -> None:
    inference = replace(request(), includes="travel or food", excludes="coffee")
    answer = InferenceAnswer(
        [
            operation(text="User moved to Lisbon", categories=["travel"]),
            operation(text="User works at Acme", categories=["professional_details"]),
            operation(text="User travels for coffee", categories=["Travel"]),
            operation("UPDATE", "User likes decaf coffee", target=2, categories=["food"]),
            operation("DELETE", "", target=1),
        ],
        "m",
        "p",
    )
    planned = plan_of(inference, answer)
    assert [getattr(o, "text", None) for o in planned.changes] == ["User moved to Lisbon", None]
    assert isinstance(planned.changes[1], Deletion)
    assert [problem.split(":")[0] for problem in planned.dropped] == [
        "operation 2",
        "operation 3",
        "operation 4",
    ]


def test_a_plan_without_wanted_facts_is_empty_and_not_an_error() -> None:
    inference = replace(request(), excludes="travel")
    answer = InferenceAnswer([operation(categories=["travel"])], "m", "p")
    assert plan_of(inference, answer).changes == ()
