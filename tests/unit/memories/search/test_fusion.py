"""Fusing the arms of a search."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.memory import ArmScore
from server.memories.search import fusion
from server.memories.search.fusion import lower_repeated, short_shares
from server.memories.search.ranking import (
    DEFAULT_WEIGHTS,
    FIRST_HITS,
    GRAPH_CEILING,
    NO_MESSAGE,
    REPEATED_SHARE,
    SHORT_LENGTH,
    SHORT_SHARE,
    ArmWeights,
    candidate_count,
)

A, B, C = (UUID(int=number) for number in (1, 2, 3))
ONE, OTHER = 1, 2


class Scored(NamedTuple):
    """A candidate."""

    memory_id: UUID
    dense: float
    lexical: float
    graph: float = 0.0
    time: float = 0.0
    other_speaker: bool = False
    message: int = NO_MESSAGE
    length: int = SHORT_LENGTH
    vector: Sequence[float] | None = None


class Hit(NamedTuple):
    """A hit."""

    memory_id: UUID
    score: float
    arms: Sequence[ArmScore]


def fuse(
    found: Sequence[Scored],
    weights: ArmWeights,
    limit: int,
    threshold: float | None,
    *,
    explain: bool = True,
) -> list[Hit]:
    """Fuses the candidates as columns."""
    low = np.array([candidate.memory_id.int for candidate in found], dtype=np.int64)
    columns = {
        "dense": np.array([candidate.dense for candidate in found], dtype=np.float64),
        "lexical": np.array([candidate.lexical for candidate in found], dtype=np.float64),
        "graph": np.array([candidate.graph for candidate in found], dtype=np.float64),
        "time": np.array([candidate.time for candidate in found], dtype=np.float64),
    }
    messages = np.array([candidate.message for candidate in found], dtype=np.int64)
    lengths = np.array([candidate.length for candidate in found], dtype=np.int64)
    scored = fusion.Scored(
        ids=(np.zeros_like(low), low),
        messages=messages,
        lengths=lengths,
        short_shares=short_shares(messages, lengths),
        vectors=(
            np.array([candidate.vector for candidate in found], dtype=np.float32)
            if found and found[0].vector
            else None
        ),
        other_speaker=np.array([candidate.other_speaker for candidate in found], dtype=np.bool_),
        **columns,
    )
    hits = fusion.fuse(scored, weights, limit, threshold, explain=explain)
    return [Hit(found[hit.number].memory_id, hit.score, hit.arms) for hit in hits]


def ids(hits: list[Hit]) -> list[UUID]:
    return [hit.memory_id for hit in hits]


def test_a_hit_of_both_arms_comes_before_one_of_either() -> None:
    found = [Scored(A, 0.8, 0.0), Scored(B, 0.6, 0.6), Scored(C, 0.0, 0.8)]
    hits = fuse(found, DEFAULT_WEIGHTS, 3, None)
    assert ids(hits) == [B, A, C]
    assert [hit.score for hit in hits] == pytest.approx([0.6, 0.4, 0.4])


def test_the_weights_decide_between_the_arms() -> None:
    found = [Scored(A, 0.9, 0.1), Scored(B, 0.1, 0.8)]
    assert ids(fuse(found, ArmWeights(dense=2.0, lexical=1.0), 2, None)) == [A, B]
    assert ids(fuse(found, ArmWeights(dense=1.0, lexical=2.0), 2, None)) == [B, A]


def test_the_dense_arm_decides_alone_if_no_words_match() -> None:
    (hit,) = fuse([Scored(A, 0.8, 0.0)], DEFAULT_WEIGHTS, 1, None)
    assert hit.score == pytest.approx(0.8)
    assert hit.arms == [ArmScore("dense", 1, 0.8)]


def test_each_arm_has_its_rank_and_score() -> None:
    found = [Scored(A, 0.2, 0.9), Scored(B, 0.4, 0.5), Scored(C, 0.3, 0.0)]
    arms = {hit.memory_id: hit.arms for hit in fuse(found, DEFAULT_WEIGHTS, 3, None)}
    assert arms == {
        A: [ArmScore("dense", 3, 0.2), ArmScore("lexical", 1, 0.9)],
        B: [ArmScore("dense", 1, 0.4), ArmScore("lexical", 2, 0.5)],
        C: [ArmScore("dense", 2, 0.3)],
    }


def test_the_graph_adds_memories_that_other_arms_miss() -> None:
    found = [Scored(A, 0.5, 0.5), Scored(B, 0.25, 0.25), Scored(C, 0.0, 0.0, graph=0.3)]
    hits = fuse(found, DEFAULT_WEIGHTS, 3, None)
    assert ids(hits) == [A, C, B]
    assert [hit.score for hit in hits] == pytest.approx([0.5, 0.3, 0.25])
    assert ArmScore("graph", 1, 0.3) in hits[1].arms
    assert [arm.arm for arm in hits[0].arms] == ["dense", "lexical"]


def test_the_graph_puts_no_memory_before_the_best_one() -> None:
    found = [Scored(A, 0.5, 0.5), Scored(B, 0.2, 0.2, graph=1.0), Scored(C, 0.4, 0.4, graph=1.0)]
    hits = fuse(found, DEFAULT_WEIGHTS, 3, None)
    assert ids(hits) == [A, C, B]
    assert [hit.score for hit in hits] == pytest.approx([0.5, 0.4, 0.5 * GRAPH_CEILING])


def test_the_graph_alone_finds_memories() -> None:
    (hit,) = fuse([Scored(A, 0.0, 0.0, graph=0.8)], DEFAULT_WEIGHTS, 1, None)
    assert hit.score == pytest.approx(0.8)


def test_a_graph_that_finds_nothing_changes_no_score() -> None:
    found = [Scored(A, 0.4, 0.2)]
    (hit,) = fuse(found, ArmWeights(dense=1.0, lexical=1.0, graph=1.0), 1, None)
    assert hit.score == pytest.approx(0.3)


def test_the_graph_lowers_no_score() -> None:
    alone = fuse([Scored(A, 0.6, 0.6)], DEFAULT_WEIGHTS, 2, 0.5)
    beside = fuse([Scored(A, 0.6, 0.6), Scored(B, 0.0, 0.0, graph=0.3)], DEFAULT_WEIGHTS, 2, 0.5)
    assert beside == alone


def test_messages_of_another_speaker_count_less() -> None:
    found = [Scored(A, 0.5, 0.5, other_speaker=True), Scored(B, 0.45, 0.45)]
    hits = fuse(found, ArmWeights(speaker=0.2), 2, None)
    assert ids(hits) == [B, A]
    assert [hit.score for hit in hits] == pytest.approx([0.45, 0.4])


def test_time_raises_close_memories_and_lowers_none() -> None:
    found = [Scored(A, 0.4, 0.4), Scored(B, 0.3, 0.3, time=1.0), Scored(C, 0.1, 0.1, time=0.5)]
    hits = fuse(found, ArmWeights(time=0.2), 3, None)
    assert ids(hits) == [B, A, C]
    assert [hit.score for hit in hits] == pytest.approx([1 - 0.7 * 0.8, 0.4, 1 - 0.9 * 0.9])
    assert ArmScore("time", 1, 1.0) in hits[0].arms
    assert [arm.arm for arm in hits[1].arms] == ["dense", "lexical"]
    assert ArmScore("time", 2, 0.5) in hits[2].arms


def test_graph_and_time_add_up() -> None:
    found = [Scored(A, 1.0, 1.0), Scored(B, 0.2, 0.2, graph=1.0, time=1.0)]
    hits = fuse(found, ArmWeights(graph=0.5, time=0.2), 2, None)
    assert hits[1].score == pytest.approx(1 - 0.8 * 0.5 * 0.8)


def test_an_arm_is_not_named_for_memories_it_did_not_propose() -> None:
    places = candidate_count(1)
    near = [Scored(UUID(int=10 + number), 0.9, 0.0) for number in range(places)]
    (hit,) = fuse([*near, Scored(A, 0.1, 1.0)], DEFAULT_WEIGHTS, 1, None)
    assert hit.memory_id == A
    assert [arm.arm for arm in hit.arms] == ["lexical"]


def test_opposite_vectors_score_zero_and_keep_their_order() -> None:
    hits = fuse([Scored(A, -0.9, 0.0), Scored(B, -0.1, 0.0)], DEFAULT_WEIGHTS, 2, None)
    assert ids(hits) == [B, A]
    assert [hit.score for hit in hits] == [0.0, 0.0]


scores = st.floats(min_value=-1.0, max_value=1.0)
candidates = st.lists(st.tuples(scores, scores.map(abs)), max_size=30).map(
    lambda pairs: [Scored(UUID(int=n), *pair) for n, pair in enumerate(pairs)]
)
weightings = st.builds(ArmWeights, *[st.floats(min_value=0.1, max_value=10.0)] * 2)


@given(
    candidates, weightings, st.integers(1, 40), st.none() | st.floats(min_value=0.0, max_value=1.0)
)
def test_hits_are_the_best_in_order_with_scores_within_limits(
    found: list[Scored], weights: ArmWeights, limit: int, threshold: float | None
) -> None:
    every = fuse(found, weights, len(found) + 1, None)
    hits = fuse(found, weights, limit, threshold)
    assert sorted(ids(every)) == sorted(candidate.memory_id for candidate in found)
    wanted = [hit for hit in every if threshold is None or hit.score >= threshold][:limit]
    assert [(hit.memory_id, hit.score) for hit in hits] == [(h.memory_id, h.score) for h in wanted]
    assert [hit.score for hit in every] == sorted((hit.score for hit in every), reverse=True)
    assert all(0.0 <= hit.score <= 1.0 for hit in every)
    assert all(0.0 <= arm.score <= 1.0 for hit in every for arm in hit.arms)


@given(candidates, st.floats(min_value=0.0, max_value=1.0))
def test_a_better_score_in_an_arm_never_worsens_the_rank(
    found: list[Scored], better: float
) -> None:
    # A word must match before and after, because the first match adds the lexical arm.
    found = [*found, Scored(UUID(int=100), 0.0, 0.5), Scored(UUID(int=101), 0.5, 0.1)]
    raised = [*found[:-1], Scored(UUID(int=101), 0.5, max(better, 0.1))]
    before, after = (
        ids(fuse(of, DEFAULT_WEIGHTS, len(of), None)).index(UUID(int=101)) for of in (found, raised)
    )
    assert after <= before


def test_without_an_explanation_the_hits_are_the_same_and_no_arm_is_named() -> None:
    found = [Scored(A, 0.2, 0.9), Scored(B, 0.4, 0.5, time=1.0), Scored(C, 0.3, 0.0, graph=0.5)]
    explained, bare = (
        fuse(found, DEFAULT_WEIGHTS, 3, None, explain=explain) for explain in (True, False)
    )
    assert [(hit.memory_id, hit.score) for hit in bare] == [
        (hit.memory_id, hit.score) for hit in explained
    ]
    assert all(hit.arms for hit in explained)
    assert not any(hit.arms for hit in bare)


def test_all_hits_of_a_message_but_the_best_make_room() -> None:
    scores = np.array([0.2, 0.8, 0.8, 0.4, 0.1])
    lower_repeated(scores, np.array([ONE, ONE, ONE, NO_MESSAGE, NO_MESSAGE]))
    assert scores.tolist() == pytest.approx(
        [0.2 * REPEATED_SHARE, 0.8, 0.8 * REPEATED_SHARE, 0.4, 0.1]
    )


def test_another_message_comes_before_a_second_hit_of_the_best_one() -> None:
    found = [
        Scored(A, 0.8, 0.8, message=ONE),
        Scored(B, 0.7, 0.7, message=ONE),
        Scored(C, 0.5, 0.5, message=OTHER),
    ]
    assert ids(fuse(found, DEFAULT_WEIGHTS, 3, None)) == [A, C, B]
    apart = [candidate._replace(message=NO_MESSAGE) for candidate in found]
    assert ids(fuse(apart, DEFAULT_WEIGHTS, 3, None)) == [A, B, C]


def test_hits_of_short_messages_lose_a_part_of_their_score() -> None:
    lengths = np.array([0, SHORT_LENGTH // 2, SHORT_LENGTH, 10 * SHORT_LENGTH])
    shares = short_shares(np.array([0, 1, 2, 3]), lengths)
    assert shares.tolist() == pytest.approx([1 - SHORT_SHARE, 1 - SHORT_SHARE / 2, 1, 1])


def test_what_is_left_of_a_long_message_is_not_short() -> None:
    shares = short_shares(np.array([ONE, ONE]), np.array([5, SHORT_LENGTH]))
    assert shares.tolist() == [1, 1]


def test_a_memory_without_a_message_is_not_short() -> None:
    assert short_shares(np.array([NO_MESSAGE]), np.array([5])).tolist() == [1]


def test_a_remark_comes_after_a_statement() -> None:
    found = [Scored(A, 0.6, 0.6, message=ONE, length=10), Scored(B, 0.5, 0.5, message=OTHER)]
    assert ids(fuse(found, DEFAULT_WEIGHTS, 2, None)) == [B, A]


def test_beyond_the_first_hits_those_that_resemble_them_come_first() -> None:
    found = [
        *(Scored(UUID(int=10 + n), 0.9, 0.9, length=999, vector=(1, 0)) for n in range(FIRST_HITS)),
        Scored(A, 0.4, 0.4, length=999, vector=(0, 1)),
        Scored(B, 0.3, 0.3, length=999, vector=(1, 0)),
    ]
    assert ids(fuse(found, DEFAULT_WEIGHTS, len(found), None))[FIRST_HITS:] == [B, A]
    others = [*found[:-1], found[-1]._replace(other_speaker=True)]
    assert ids(fuse(others, DEFAULT_WEIGHTS, len(found), None))[FIRST_HITS:] == [A, B]


def test_equal_candidates_are_in_the_order_of_their_ids() -> None:
    found = [Scored(id_, 0.5, 0.5) for id_ in (C, A, B)]
    hits = fuse(found, DEFAULT_WEIGHTS, 2, None)
    assert ids(hits) == [A, B]
    assert [hit.arms[0].rank for hit in hits] == [1, 2]
