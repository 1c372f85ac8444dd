"""Finding names in a question, and scoring the clues of the graph."""

from __future__ import annotations

import pytest

from server.memories.search.question_clues import (
    DIRECT_SHARE,
    MAX_NAME_WORDS,
    MAX_WORDS,
    ONE_HOP_SHARE,
    Clue,
    names_in,
    scores_of,
    specificity,
)
from tests.support.subgraphs import memory_id


def clue(number: int, degree: int, through: int = 0) -> Clue:
    return Clue(memory_id(number), degree, through)


@pytest.mark.parametrize(
    ("question", "name"),
    [
        ("Where does Anna live?", "anna"),
        ("where is ANNA's office", "anna"),
        ("Is it James' car?", "james"),
        ("Who leads (New  York) City Council?!", "new york city council"),
        ("What did O'Brien say?", "o'brien"),
        ("Who is \u201cGlobex\u2019s\u201d boss", "globex"),
    ],
)
def test_names_are_found_in_a_question(question: str, name: str) -> None:
    assert name in names_in(question)


def test_longer_names_come_first_and_each_once() -> None:
    assert names_in("a b A b") == ["a b a b", "a b a", "b a b", "a b", "b a", "a", "b"]


def test_a_question_without_words_has_no_names() -> None:
    assert names_in(" ?! ... ") == []


def test_a_long_question_is_truncated() -> None:
    assert len(names_in(" ".join(f"w{n}" for n in range(1000)))) <= MAX_WORDS * MAX_NAME_WORDS


def test_entities_with_few_relations_count_more() -> None:
    scores = scores_of([clue(1, degree=1), clue(2, degree=64)])
    assert scores[memory_id(1)] == pytest.approx(DIRECT_SHARE)
    assert scores[memory_id(2)] == pytest.approx(DIRECT_SHARE / 2)


def test_a_second_hop_counts_by_the_entity_between() -> None:
    scores = scores_of([clue(1, 2), clue(2, 2, through=2), clue(3, 2, through=90)])
    assert scores[memory_id(1)] == pytest.approx(specificity(2) * DIRECT_SHARE)
    assert scores[memory_id(2)] == pytest.approx(specificity(2) * ONE_HOP_SHARE * specificity(2))
    assert scores[memory_id(2)] > scores[memory_id(3)] > scores[memory_id(1)]


def test_several_paths_to_a_memory_add_up() -> None:
    scores = scores_of([clue(1, 4), clue(1, 4), clue(2, 4)])
    assert scores[memory_id(2)] == pytest.approx(specificity(4) * DIRECT_SHARE)
    assert scores[memory_id(2)] < scores[memory_id(1)] < 1
