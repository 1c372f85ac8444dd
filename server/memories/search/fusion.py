"""Fuses the scores of the arms of a search; ranking.py explains the formulas.

Candidates are columns of numbers, because a search has hundreds of them and answers with ten:
objects for all of them would cost more than the arithmetic.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from server.memories.memory import ArmScore
from server.memories.search.ranking import (
    CENTRE_SHRINKAGE,
    FIRST_HITS,
    GRAPH_CEILING,
    HALF_WEIGHT_LENGTH,
    NO_MESSAGE,
    REPEATED_SHARE,
    RESEMBLANCE_SHARE,
    SHORT_LENGTH,
    SHORT_SHARE,
    Arm,
    ArmWeights,
    Flags,
    Halves,
    Numbers,
    Ranked,
    Scores,
    Vectors,
    candidate_count,
)

_LEAST_NORM: Final = np.float32(1e-9)


@dataclass(frozen=True, slots=True)
class Scored:
    """The scores of all candidates in the arms; 0 if an arm did not find one.

    Of equal candidates the one with the lowest id comes first. `messages` are equal for candidates
    of one message, and NO_MESSAGE if it is unknown; None if no two candidates are of one message.
    `lengths` are in characters, and `short_shares` what `short_shares` returns for them.
    `other_speaker` is true if the question asks for somebody else's words. It and the other columns
    are None if they would be the same for all candidates, and `vectors` if so few hits are wanted
    that none is raised by resemblance.
    """

    ids: Halves
    dense: Scores
    lexical: Scores
    messages: Numbers | None
    lengths: Numbers
    short_shares: Scores
    graph: Scores | None = None
    time: Scores | None = None
    other_speaker: Flags | None = None
    vectors: Vectors | None = None


def fuse(
    scored: Scored,
    weights: ArmWeights,
    limit: int,
    threshold: float | None,
    *,
    explain: bool = True,
) -> list[Ranked]:
    """Returns the best candidates, best first, at most `limit`.

    The score is the weighted mean of the dense and the lexical arm, raised by the graph and by
    time, and lowered for all hits of a message except the best, and for short messages. Scores are
    fused instead of ranks, because a rank does not show whether an arm found a good match. If no
    memory shares a word with the question, the lexical arm is left out. Each arm must have proposed
    its best `candidate_count(limit)`; hits beyond them are not attributed to the arm. Without
    `explain` no arms are listed, which saves work.
    """
    shares = _speaker_shares(scored, weights)
    scores = _raised(scored, weights, _text_scores(scored, weights) * shares)
    if scored.messages is not None:
        lower_repeated(scores, scored.messages)
    scores *= scored.short_shares
    # Before scores are limited to 0, negative cosines still order distant memories.
    high, low = scored.ids
    best = np.lexsort((low, high, -scored.dense, -scores))
    if scored.vectors is not None:
        best = raise_resembling(scores, best, scored.vectors, scored.lengths, shares)
    best = best[:limit]
    if threshold is not None:
        best = best[scores[best] >= threshold]
    hits = best.tolist()
    arms = _arms_of(scored, set(hits), limit) if explain else {}
    return [
        Ranked(
            hit, score, [ArmScore(arm, *found[hit]) for arm, found in arms.items() if hit in found]
        )
        for hit, score in zip(hits, scores[best].tolist(), strict=True)
    ]


def lower_repeated(scores: Scores, messages: Numbers) -> None:
    """Lowers the scores of all hits of a message except the best, the first of equal ones.

    `messages` are equal for hits of one message, and NO_MESSAGE if it is unknown.
    """
    order = np.lexsort((-scores, messages))
    ordered = messages[order]
    follows_a_better_hit = (ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)
    repeated = order[1:][follows_a_better_hit]
    scores[repeated] *= REPEATED_SHARE


def short_shares(messages: Numbers, lengths: Numbers) -> Scores:
    """Returns the share of its score that each candidate keeps: the shorter its message, the less.

    A message counts as long as its longest candidate, because a passage is only a part of it.
    Candidates of unknown messages, such as memories written by hand, keep their scores.
    """
    places = messages - NO_MESSAGE
    longest = np.zeros(places.max(initial=0) + 1, dtype=np.int64)
    np.maximum.at(longest, places, lengths)
    longest[0] = SHORT_LENGTH
    shortness = np.maximum(0.0, 1.0 - longest[places] / SHORT_LENGTH)
    shares: Scores = 1.0 - SHORT_SHARE * shortness
    return shares


def raise_resembling(
    scores: Scores, best: Numbers, vectors: Vectors, lengths: Numbers, shares: Scores | float
) -> Numbers:
    """Raises the scores of candidates that resemble one of the first hits; returns the new order.

    `best` are the candidates, best first; vectors, lengths in characters, and `shares`, by which
    each resemblance is multiplied, are by candidate. No score exceeds those of the first hits,
    whose order stays the same.
    """
    if len(best) <= FIRST_HITS:
        return best
    first, others = best[:FIRST_HITS], best[FIRST_HITS:]
    added = RESEMBLANCE_SHARE * (shares * _resemblances(scores, first, vectors, lengths))[others]
    lifted = 1.0 - (1.0 - scores[others]) * (1.0 - added)
    scores[others] = np.minimum(lifted, scores[first].min())
    return np.concatenate((first, others[np.argsort(-lifted, kind="stable")]))


def _text_scores(scored: Scored, weights: ArmWeights) -> Scores:
    """Returns the scores of the dense and lexical arms together."""
    dense = _unit(scored.dense)
    if not (scored.lexical > 0).any():
        return dense
    total = weights.dense * dense + weights.lexical * _unit(scored.lexical)
    mean: Scores = total / (weights.dense + weights.lexical)
    return mean


def _speaker_shares(scored: Scored, weights: ArmWeights) -> Scores | float:
    """Returns the share of its score that each candidate keeps because of its speaker."""
    if scored.other_speaker is None:
        return 1.0
    return np.where(scored.other_speaker, 1.0 - weights.speaker, 1.0)


def _raised(scored: Scored, weights: ArmWeights, scores: Scores) -> Scores:
    """Returns the scores after the graph and time have raised them."""
    if scored.graph is not None:
        ceiling = GRAPH_CEILING * scores.max(initial=0.0)
        lifted = _lifted(scores, weights.graph * _unit(scored.graph))
        # If no other arm found anything, there is nothing to compare with.
        bounded = np.minimum(lifted, ceiling) if ceiling > 0.0 else lifted
        scores = np.where(scored.graph > 0.0, np.maximum(scores, bounded), scores)
    if scored.time is not None:
        lifted = _lifted(scores, weights.time * _unit(scored.time))
        scores = np.where(scored.time > 0.0, lifted, scores)
    return scores


def _lifted(scores: Scores, reasons: Scores) -> Scores:
    """Returns the scores after adding independent evidence."""
    return 1.0 - (1.0 - scores) * (1.0 - reasons)


def _unit(scores: Scores) -> Scores:
    """Returns the scores limited to 0 to 1."""
    limited: Scores = np.minimum(np.maximum(scores, 0.0), 1.0)
    return limited


def _arms_of(
    scored: Scored, hits: Collection[int], limit: int
) -> Mapping[Arm, Mapping[int, tuple[int, float]]]:
    """Returns rank and score of the hits in the arms that proposed them."""
    columns = {
        Arm.DENSE: scored.dense,
        Arm.LEXICAL: scored.lexical,
        Arm.GRAPH: scored.graph,
        Arm.TIME: scored.time,
    }
    high, low = scored.ids
    arms = {}
    for arm, scores in columns.items():
        if scores is None:
            continue
        best = np.lexsort((low, high, -scores))[: candidate_count(limit)]
        if arm is not Arm.DENSE:
            best = best[scores[best] > 0.0]
        placed = zip(best.tolist(), _unit(scores[best]).tolist(), strict=True)
        arms[arm] = {
            number: (rank, score)
            for rank, (number, score) in enumerate(placed, start=1)
            if number in hits
        }
    return arms


def _resemblances(scores: Scores, first: Numbers, vectors: Vectors, lengths: Numbers) -> Scores:
    """Returns how much each candidate resembles the first hit that it resembles most, 0 to 1.

    A resemblance to a hit counts in proportion to the hit's score.
    """
    length_weights = lengths / (lengths + HALF_WEIGHT_LENGTH)
    weights = length_weights[first] * scores[first] / max(1e-9, scores[first].max())
    centred = _centred(vectors)
    # Not `@`: the threads of its library spin while they wait for each other.
    cosines = np.vecdot(centred[:, np.newaxis], centred[np.newaxis, first])
    nearest: Scores = np.max(cosines * weights, axis=1, initial=0.0)
    return length_weights * nearest


def _centred(vectors: Vectors) -> Vectors:
    """Returns the vectors after subtracting most of their mean, with a length of 1."""
    count = len(vectors)
    mean = vectors.mean(axis=0) * np.float32(count / (count + CENTRE_SHRINKAGE))
    apart = vectors - mean
    norms = np.sqrt(np.vecdot(apart, apart))[:, np.newaxis]
    centred: Vectors = apart / np.maximum(norms, _LEAST_NORM)
    return centred
