"""How a search ranks: arms that score the memories of a scope, and one score made of all of them.

Every score lies between 0 and 1 and means the same in every search: 1 is what says the same in the
same words, 0 is what has nothing in common with the question.

The **lexical** arm is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009)
over word stems, with the statistics of the scope, divided by the sum of the weights of those words
of the question that the scope knows: an average memory that has each of them once scores 1, and no
memory scores more. Messages are understood with those around them, so what comes from a message
(itself, its passage, or a memory made of it) also gets a share of what others around it score: as
independent reasons, 1 - (1 - own)(1 - share * before)(1 - share * after). The next ones lend
CONTEXT_SHARE, others within REACH FAR_SHARE: a short remark is understood with several turns around
it, and a page with its neighbours alone. Nothing is lent from one sitting to another. Words that
are neighbours in the question say more where they stand together (Metzler and Croft, "A Markov
Random Field Model for Term Dependencies", 2005): each such pair is one more word of the question
and counts PAIR_SHARE of an average one. Pairs are counted for candidates only.

The **dense** arm is the cosine of the embeddings after the mean embedding of the scope is taken off
both. All that one person speaks of has much in common; what is left tells memories apart. The mean
of few memories is mostly those memories themselves, so it counts n / (n + CENTRE_SHRINKAGE).

The **graph** arm scores the memories that it finds by entities and relations, from outside: its
scores come with the query. It is a reason of its own beside the other two arms,
1 - (1 - score)(1 - share * graph), but lifts no memory above GRAPH_CEILING of the best score that
those two give: what is related to somebody in the question is seldom what is asked about them. It
lowers nothing. A lexical arm that finds nothing at all takes no part in a search.

A question that asks for what one **speaker** said ("what did you recommend?") prefers that speaker:
what others said loses SPEAKER_SHARE of the score that the dense and the lexical arm give it.

Of the hits of one **message**, all but the best make room for others (same_message.py). A memory
counts as long as its message, whose words are compared with the question too.

The **time** arm is how close a memory's event time is to the times that the question names. It
lifts what the other arms have found, as the graph does, and proposes nothing by itself.

ADR 0012, 0028, 0029, 0039, 0055, 0056 and 0058 say what was measured, and how the constants were
found.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from server.memories.memory import ArmScore
from server.memories.search.same_message import lower_repeated, messages_of


class Arm(StrEnum):
    """What takes part in a search. `rerank` orders what the others have found."""

    DENSE = "dense"
    LEXICAL = "lexical"
    GRAPH = "graph"
    TIME = "time"
    RERANK = "rerank"


@dataclass(frozen=True, slots=True)
class DegradedArm:
    """An arm that was to take part and could not, and why, in words for the client."""

    arm: Arm
    reason: str


BM25_K1: Final = 2.0
"""How slowly a word's further occurrences in one memory stop to count."""

BM25_B: Final = 0.9
"""How far a long memory's words count less: 0 not at all, 1 in proportion to its length."""

CONTEXT_SHARE: Final = 0.75
"""The part of its own lexical score that a message lends to each of its neighbours."""

FAR_SHARE: Final = 0.5
"""The part that it lends further on, as far as it reaches."""

REACH: Final = 400
"""How far a message lends, in characters, with its own: two to four short turns."""

PAIR_SHARE: Final = 0.5
"""How much a pair of words counts that stand together, as a part of an average word."""

PAIR_REACH: Final = 3
"""How far apart the words of a pair may stand, in words."""

SPEAKER_SHARE: Final = 0.2
"""The part of its score that an item loses if the question asks for another speaker's words."""

SITTING: Final = timedelta(hours=6)
"""A longer pause between the event times of two messages ends a sitting."""

CENTRE_SHRINKAGE: Final = 30.0
"""The size of a scope, in memories, from which half of its mean embedding is taken off."""

CENTRE_SAMPLE: Final = 300
"""How many memories of a scope, the newest, its mean embedding is taken from."""

GRAPH_CEILING: Final = 0.8
"""How high the graph lifts at most, as a part of the best score of the other arms."""

TIME_SHARE: Final = 0.15
"""The part of what a score lacks to 1 that an event within the times of the question adds."""

MIN_CANDIDATES: Final = 100
CANDIDATES_PER_HIT: Final = 4


@dataclass(frozen=True, slots=True)
class ArmWeights:
    """How much each arm counts. Of dense and lexical only the ratio matters.

    `graph` and `time` are shares, from 0 to 1, of what is missing to a score of 1 that those arms
    can add; `speaker` is the share that the words of others lose if a question asks for a speaker.
    """

    dense: float = 1.0
    lexical: float = 1.0
    graph: float = 1.0
    time: float = TIME_SHARE
    speaker: float = SPEAKER_SHARE


EVEN: Final = ArmWeights()
"""Measured with static embeddings (ADR 0012). Learned ones count for more (ADR 0055)."""


class Scored(NamedTuple):
    """What the arms think of one memory; 0 is nothing.

    `other_speaker` is true if the question asks for what somebody else said. `message_id` is the
    message that it is or that it was made of, if that is known.
    A tuple, because a search makes hundreds of these and a frozen dataclass takes thrice as long.
    """

    memory_id: UUID
    dense: float
    lexical: float
    graph: float = 0.0
    time: float = 0.0
    other_speaker: bool = False
    message_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ranked:
    """A memory with its score and with the arms that found it."""

    memory_id: UUID
    score: float
    arms: Sequence[ArmScore]


def candidate_count(limit: int) -> int:
    """How many memories each arm proposes, so that the best `limit` of all are among them."""
    return max(MIN_CANDIDATES, CANDIDATES_PER_HIT * limit)


def fuse(
    candidates: Sequence[Scored],
    weights: ArmWeights,
    limit: int,
    threshold: float | None,
    *,
    explain: bool = True,
) -> list[Ranked]:
    """The best candidates, best first, at most `limit`.

    By the weighted mean of the dense and the lexical arm, lifted by the graph and by time, and
    lowered for all hits of a message but the best one. Scores are fused and not ranks: a rank does
    not say whether an arm has found anything. Where no memory shares a word with the question, the
    dense arm decides without the lexical one. Each arm must have proposed its best
    `candidate_count(limit)`: an arm's further order is not known, and it is not named among those
    that found a hit there. Without `explain` no arm is named, which halves the work.
    """
    messages = messages_of([candidate.message_id for candidate in candidates])
    scores = _scores(candidates, _taking_part(candidates, weights))
    lower_repeated(scores, messages)
    # Below zero, which is where scores end, the dense arm still tells far from further.
    order = sorted([(-scores[n], -c.dense, c.memory_id, n) for n, c in enumerate(candidates)])
    best = {
        number: (memory_id, -negated)
        for negated, _, memory_id, number in order[:limit]
        if threshold is None or -negated >= threshold
    }
    arms = _arms_of(candidates, best, limit) if explain else {}
    return [
        Ranked(id_, score, [ArmScore(arm, *of[n]) for arm, of in arms.items() if n in of])
        for n, (id_, score) in best.items()
    ]


def _arms_of(
    candidates: Sequence[Scored], wanted: Collection[int], limit: int
) -> Mapping[Arm, Mapping[int, tuple[int, float]]]:
    """What each arm that proposed a wanted candidate thinks of it, by arm and number."""
    numbered = list(enumerate(candidates))
    proposed = {
        Arm.DENSE: [(-c.dense, c.memory_id, n) for n, c in numbered],
        Arm.LEXICAL: [(-c.lexical, c.memory_id, n) for n, c in numbered if c.lexical > 0],
        Arm.GRAPH: [(-c.graph, c.memory_id, n) for n, c in numbered if c.graph > 0],
        Arm.TIME: [(-c.time, c.memory_id, n) for n, c in numbered if c.time > 0],
    }
    return {arm: _places(scored, wanted, limit) for arm, scored in proposed.items()}


def _taking_part(candidates: Sequence[Scored], weights: ArmWeights) -> ArmWeights:
    """The weights without that of a lexical arm that found nothing."""
    if any(candidate.lexical > 0 for candidate in candidates):
        return weights
    return replace(weights, dense=1.0, lexical=0.0)


def _scores(candidates: Sequence[Scored], weights: ArmWeights) -> list[float]:
    """The score of each candidate, of all arms."""
    scores = [_score(candidate, weights) for candidate in candidates]
    ceiling = GRAPH_CEILING * max(scores, default=0.0)
    for number, candidate in enumerate(candidates):
        if candidate.graph > 0.0:
            lifted = _lifted(scores[number], weights.graph * _unit(candidate.graph))
            # Where no other arm found anything, there is nothing to be compared with.
            bounded = min(lifted, ceiling) if ceiling > 0.0 else lifted
            scores[number] = max(scores[number], bounded)
        if candidate.time > 0.0:
            scores[number] = _lifted(scores[number], weights.time * _unit(candidate.time))
    return scores


def _score(candidate: Scored, weights: ArmWeights) -> float:
    """What the dense and the lexical arm make of a candidate."""
    total = weights.dense * _unit(candidate.dense) + weights.lexical * _unit(candidate.lexical)
    score = _unit(total / (weights.dense + weights.lexical))
    return score * (1.0 - weights.speaker) if candidate.other_speaker else score


def _lifted(score: float, reason: float) -> float:
    """The score with one more independent reason."""
    return 1.0 - (1.0 - score) * (1.0 - reason)


def _places(
    scored: list[tuple[float, UUID, int]], wanted: Collection[int], limit: int
) -> Mapping[int, tuple[int, float]]:
    """The place from 1 and the score of each wanted candidate that the arm proposed, by number.

    The given scores are negated, so that their natural order is best first.
    """
    best = sorted(scored)[: candidate_count(limit)]
    return {
        number: (rank, _unit(-negated))
        for rank, (negated, _, number) in enumerate(best, start=1)
        if number in wanted
    }


def _unit(score: float) -> float:
    """The score, at least 0 and at most 1."""
    # Nearly all scores are within, and min() and max() cost four times this comparison.
    if 0.0 <= score <= 1.0:
        return score
    return min(max(score, 0.0), 1.0)
