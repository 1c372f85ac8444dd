"""Ordering hits by the scores of a reranker."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.memories.memory import ArmScore
from server.memories.passages import Hit
from server.memories.search.arms import RERANKED, reordered, reranking_limit
from tests.support.builders import addition, call

HITS = [
    Hit(addition(call(), f"hit {number}").memory, 1.0 - number / 100, [ArmScore("x", 1, 1)])
    for number in range(40)
]


def test_enough_hits_are_fetched_for_reranking() -> None:
    assert (reranking_limit(3), reranking_limit(RERANKED + 1)) == (RERANKED, RERANKED + 1)


def test_the_reranker_decides_and_equal_scores_keep_their_order() -> None:
    texts = [hit.text for hit in reordered(HITS[:4], [0.2, 0.9, 0.2, 0.9])]

    assert texts == ["hit 1", "hit 3", "hit 0", "hit 2"]


def test_each_hit_has_the_score_of_the_reranker_and_its_own() -> None:
    best, other = reordered(HITS[:2], [0.25, 0.75])

    assert best.arms == [ArmScore("x", 1, 1), ArmScore("rerank", 1, 0.75)]
    assert other.arms == [ArmScore("x", 1, 1), ArmScore("rerank", 2, 0.25)]
    assert (best.score, other.score) == (HITS[1].score, HITS[0].score)


@given(st.lists(st.floats(0, 1), max_size=len(HITS)))
def test_no_hit_is_lost_and_hits_without_a_score_come_last(scores: list[float]) -> None:
    after = reordered(HITS, scores)

    assert {hit.id for hit in after} == {hit.id for hit in HITS}
    assert after[len(scores) :] == HITS[len(scores) :]
