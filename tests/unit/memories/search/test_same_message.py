"""Hits of one message."""

from __future__ import annotations

from uuid import UUID

import pytest

from server.memories.search.ranking import (
    EVEN,
    REPEATED,
    Scored,
    fuse,
    lower_repeated,
    messages_of,
)

A, B, C = (UUID(int=number) for number in (1, 2, 3))
ONE, OTHER = UUID(int=11), UUID(int=12)


def test_what_comes_from_one_message_belongs_together() -> None:
    assert messages_of([ONE, None, OTHER, ONE, None]) == [[0, 3]]


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
