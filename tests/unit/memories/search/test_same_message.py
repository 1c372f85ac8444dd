"""Hits of one message."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.memories.memory import ArmScore
from server.memories.search.ranking import EVEN, Scored, fuse
from server.memories.search.same_message import (
    REPEATED,
    SHARED_WORDS,
    lower_repeated,
    messages_of,
    share_words,
)

A, B, C = (UUID(int=number) for number in (1, 2, 3))
ONE, OTHER = UUID(int=11), UUID(int=12)


def test_what_comes_from_one_message_belongs_together() -> None:
    assert messages_of([ONE, None, OTHER, ONE, None]) == [[0, 3]]


def test_words_of_the_best_count_for_the_others() -> None:
    lexical = [0.8, 0.2, 0.0, 0.4]
    share_words(lexical, [[0, 1, 2]])
    assert lexical == pytest.approx([0.8, 0.2 + 0.6 * SHARED_WORDS, 0.8 * SHARED_WORDS, 0.4])


def test_all_but_the_best_make_room() -> None:
    scores = [0.2, 0.8, 0.8, 0.4]
    lower_repeated(scores, [[0, 1, 2]])
    assert scores == pytest.approx([0.2 * REPEATED, 0.8, 0.8 * REPEATED, 0.4])


def test_another_message_comes_before_a_second_hit_of_the_best_one() -> None:
    found = [
        Scored(A, 0.8, 0.8, message_id=ONE),
        Scored(B, 0.7, 0.7, message_id=ONE),
        Scored(C, 0.5, 0.5, message_id=OTHER),
    ]
    assert [hit.memory_id for hit in fuse(found, EVEN, 3, None)] == [A, C, B]
    apart = [candidate._replace(message_id=None) for candidate in found]
    assert [hit.memory_id for hit in fuse(apart, EVEN, 3, None)] == [A, B, C]


def test_a_fact_is_found_by_the_words_beside_it() -> None:
    found = [
        Scored(A, 0.4, 0.8, message_id=ONE),
        Scored(B, 0.9, 0.0, message_id=ONE),
        Scored(C, 0.6, 0.5, message_id=OTHER),
    ]
    hits = fuse(found, EVEN, 3, None)
    assert [hit.memory_id for hit in hits] == [B, C, A]
    assert ArmScore("lexical", 3, 0.8 * SHARED_WORDS) in hits[0].arms
