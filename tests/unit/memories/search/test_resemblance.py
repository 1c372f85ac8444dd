"""Raising hits that resemble one of the first hits."""

from __future__ import annotations

import numpy as np

from server.memories.search.fusion import raise_resembling
from server.memories.search.ranking import FIRST_HITS, HALF_WEIGHT_LENGTH, Numbers, Scores, Vectors

LIKE, UNLIKE = FIRST_HITS + 1, FIRST_HITS
COUNT = FIRST_HITS + 2
LONG = 100 * HALF_WEIGHT_LENGTH


def scores() -> Scores:
    """Returns falling scores of the first hits, and lower ones of two others."""
    return np.array([*np.linspace(0.9, 0.6, FIRST_HITS), 0.3, 0.29])


def vectors() -> Vectors:
    """Returns vectors of which only those of the first hit and of the last one are similar."""
    found = np.eye(COUNT, dtype=np.float32)
    found[LIKE, 0] = 2.0
    return found


def order(
    of: Scores, *, lengths: int | Numbers = LONG, shares: Scores | float = 1.0, count: int = COUNT
) -> list[int]:
    """Returns the order after hits have been raised."""
    every = np.full(count, lengths) if isinstance(lengths, int) else lengths
    raised = raise_resembling(of, np.arange(count), vectors()[:count], every, shares)
    return [int(number) for number in raised]


def test_a_hit_that_resembles_a_first_hit_comes_before_a_better_one() -> None:
    raised = scores()
    assert order(raised)[FIRST_HITS:] == [LIKE, UNLIKE]
    assert raised[LIKE] > scores()[LIKE]
    assert raised[UNLIKE] < raised[LIKE]


def test_the_first_hits_stay_as_they_are_and_best() -> None:
    raised = scores()
    raised[LIKE] = raised[FIRST_HITS - 1]
    assert order(raised)[:FIRST_HITS] == list(range(FIRST_HITS))
    assert raised[:FIRST_HITS].tolist() == scores()[:FIRST_HITS].tolist()
    assert raised[LIKE] == raised[FIRST_HITS - 1]


def test_short_texts_hardly_resemble_each_other() -> None:
    assert order(scores(), lengths=HALF_WEIGHT_LENGTH // 20)[FIRST_HITS:] == [UNLIKE, LIKE]
    short_first = np.full(COUNT, LONG)
    short_first[0] = 1
    assert order(scores(), lengths=short_first)[FIRST_HITS:] == [UNLIKE, LIKE]


def test_a_resemblance_counts_by_the_share_of_the_candidate() -> None:
    shares = np.ones(COUNT)
    shares[LIKE] = 0.0
    assert order(scores(), shares=shares)[FIRST_HITS:] == [UNLIKE, LIKE]


def test_few_hits_stay_as_they_are() -> None:
    few = scores()[:3]
    assert order(few, count=3) == [0, 1, 2]
    assert few.tolist() == scores()[:3].tolist()
    assert order(np.array([]), count=0) == []
