"""Ranking in a search: arms score the memories of a scope, and their scores are fused.

Every score lies between 0 and 1 and means the same in every search: 1 for a memory with the same
meaning in the same words, 0 for a memory that has nothing in common with the question.

The **lexical** arm is BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009)
over word stems, with the statistics of the scope, divided by the sum of the weights of the
question's words that occur in the scope: an average memory with each of these words once scores 1,
and no memory scores more. Messages need their context, so an item from a message (the message
itself, its passage, or a memory inferred from it) also gets a share of the scores of the messages
around it, as independent evidence: 1 - (1 - own)(1 - share * before)(1 - share * after). Adjacent
messages lend CONTEXT_SHARE, others within REACH lend FAR_SHARE: a short remark needs several turns
as context, a page only its neighbours. Nothing is lent from one sitting to another. Words that are
adjacent in the question are stronger evidence where they are adjacent in a memory (Metzler and
Croft, "A Markov Random Field Model for Term Dependencies", 2005): each such pair counts as another
word of the question with PAIR_SHARE of the average weight. Only candidates are scored by pairs.

The **dense** arm is the cosine of the embeddings after subtracting the mean embedding of the scope
from both. Everything that a person talks about has much in common; the rest distinguishes memories.
The mean of few memories mostly consists of these memories themselves, so it is weighted with
n / (n + CENTRE_SHRINKAGE).

The **graph** arm scores the memories that it finds by entities and relations; its scores come with
the query. It is evidence independent of the other two arms, 1 - (1 - score)(1 - share * graph), but
raises no memory above GRAPH_CEILING of their best score, because memories that relate to an entity
in the question are seldom the answer. It lowers nothing. A lexical arm without any match does not
take part in a search.

A question about the words of one **speaker** ("what did you recommend?") prefers that speaker:
the words of others lose SPEAKER_SHARE of their score in the dense and lexical arms.

All hits of one **message** but the best are lowered (`lower_repeated`). A memory has the length of
its message, whose words are compared with the question too.

The **time** arm is how close a memory's event time is to the times in the question. Like the graph,
it raises memories that the other arms have found, but it proposes none.

ADR 0012, 0028, 0029, 0039, 0055, 0056 and 0058 have the measurements and how the constants were
found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, NamedTuple, TypeAlias
from uuid import UUID

from server.memories.memory import ArmScore

REPEATED: Final = 0.4
"""The share of its score that a hit keeps if its message has a better hit."""

Message: TypeAlias = Sequence[int]
"""The numbers of two or more hits of one message."""


def messages_of(hits: Iterable[UUID | None]) -> list[Message]:
    """Returns groups of hits from one message, as the numbers of the hits.

    `hits` are the ids of their messages, None if unknown.
    """
    numbers: dict[UUID | None, list[int]] = defaultdict(list)
    for number, message_id in enumerate(hits):
        numbers[message_id].append(number)
    return [found for id_, found in numbers.items() if id_ is not None and len(found) > 1]


def lower_repeated(scores: list[float], messages: Iterable[Message]) -> None:
    """Lowers the scores of all hits of a message except the best."""
    for message in messages:
        best = max(message, key=lambda number: scores[number])
        for number in message:
            if number != best:
                scores[number] *= REPEATED


class Arm(StrEnum):
    """The arms of a search. `rerank` orders the hits of the others."""

    DENSE = "dense"
    LEXICAL = "lexical"
    GRAPH = "graph"
    TIME = "time"
    RERANK = "rerank"


@dataclass(frozen=True, slots=True)
class DegradedArm:
    """An arm that could not take part, and the reason, in words for the client."""

    arm: Arm
    reason: str


BM25_K1: Final = 2.0
"""How slowly further occurrences of a word in one memory lose weight (BM25's k1)."""

BM25_B: Final = 0.9
"""How much a memory's length lowers its score: 0 not at all, 1 in proportion (BM25's b)."""

CONTEXT_SHARE: Final = 0.75
"""The share of its lexical score that a message lends to each adjacent message."""

FAR_SHARE: Final = 0.5
"""The share that it lends to other messages within REACH."""

REACH: Final = 400
"""How far a message lends, in characters including its own: two to four short turns."""

PAIR_SHARE: Final = 0.5
"""The weight of a pair of adjacent words, relative to an average word."""

PAIR_REACH: Final = 3
"""The maximum distance of the two words of a pair, in words."""

SPEAKER_SHARE: Final = 0.2
"""The share of its score that an item loses if the question asks for another speaker's words."""

SITTING: Final = timedelta(hours=6)
"""A longer pause between the event times of two messages ends a sitting."""

CENTRE_SHRINKAGE: Final = 30.0
"""The number of memories at which half of the scope's mean embedding is subtracted."""

CENTRE_SAMPLE: Final = 300
"""How many of a scope's newest memories its mean embedding is computed from."""

GRAPH_CEILING: Final = 0.8
"""How high the graph raises a memory at most, relative to the best score of the other arms."""

TIME_SHARE: Final = 0.15
"""The share of the gap between a score and 1 that an event within the question's times adds."""

MIN_CANDIDATES: Final = 100
CANDIDATES_PER_HIT: Final = 4


@dataclass(frozen=True, slots=True)
class ArmWeights:
    """The weights of the arms. For dense and lexical only the ratio matters.

    `graph` and `time` are the shares, from 0 to 1, of the gap between a score and 1 that these arms
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
    """The scores of a memory in the arms; 0 if an arm did not find it.

    `other_speaker` is true if the question asks for somebody else's words. `message_id` is the
    message that it is or was inferred from, if known. This is a tuple because a search creates
    hundreds of them, and a frozen dataclass takes three times as long.
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
    """A memory with its score and the arms that found it."""

    memory_id: UUID
    score: float
    arms: Sequence[ArmScore]


def candidate_count(limit: int) -> int:
    """Returns how many memories each arm proposes, so that the best `limit` are among them."""
    return max(MIN_CANDIDATES, CANDIDATES_PER_HIT * limit)


def fuse(
    candidates: Sequence[Scored],
    weights: ArmWeights,
    limit: int,
    threshold: float | None,
    *,
    explain: bool = True,
) -> list[Ranked]:
    """Returns the best candidates, best first, at most `limit`.

    The score is the weighted mean of the dense and the lexical arm, raised by the graph and by
    time, and lowered for all hits of a message except the best. Scores are fused instead of ranks,
    because a rank does not show whether an arm found a good match. If no memory shares a word with
    the question, the lexical arm is left out. Each arm must have proposed its best
    `candidate_count(limit)`; hits beyond them are not attributed to the arm. Without `explain` no
    arms are listed, which halves the work.
    """
    messages = messages_of([candidate.message_id for candidate in candidates])
    scores = _scores(candidates, _taking_part(candidates, weights))
    lower_repeated(scores, messages)
    # Before scores are limited to 0, negative cosines still order distant memories.
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
    """Returns rank and score of wanted candidates in the arms that proposed them, by number."""
    numbered = list(enumerate(candidates))
    proposed = {
        Arm.DENSE: [(-c.dense, c.memory_id, n) for n, c in numbered],
        Arm.LEXICAL: [(-c.lexical, c.memory_id, n) for n, c in numbered if c.lexical > 0],
        Arm.GRAPH: [(-c.graph, c.memory_id, n) for n, c in numbered if c.graph > 0],
        Arm.TIME: [(-c.time, c.memory_id, n) for n, c in numbered if c.time > 0],
    }
    return {arm: _places(scored, wanted, limit) for arm, scored in proposed.items()}


def _taking_part(candidates: Sequence[Scored], weights: ArmWeights) -> ArmWeights:
    """Returns the weights, with 0 for a lexical arm that found nothing."""
    if any(candidate.lexical > 0 for candidate in candidates):
        return weights
    return replace(weights, dense=1.0, lexical=0.0)


def _scores(candidates: Sequence[Scored], weights: ArmWeights) -> list[float]:
    """Returns the fused score of each candidate."""
    scores = [_score(candidate, weights) for candidate in candidates]
    ceiling = GRAPH_CEILING * max(scores, default=0.0)
    for number, candidate in enumerate(candidates):
        if candidate.graph > 0.0:
            lifted = _lifted(scores[number], weights.graph * _unit(candidate.graph))
            # If no other arm found anything, there is nothing to compare with.
            bounded = min(lifted, ceiling) if ceiling > 0.0 else lifted
            scores[number] = max(scores[number], bounded)
        if candidate.time > 0.0:
            scores[number] = _lifted(scores[number], weights.time * _unit(candidate.time))
    return scores


def _score(candidate: Scored, weights: ArmWeights) -> float:
    """Returns the score of a candidate in the dense and lexical arms."""
    total = weights.dense * _unit(candidate.dense) + weights.lexical * _unit(candidate.lexical)
    score = _unit(total / (weights.dense + weights.lexical))
    return score * (1.0 - weights.speaker) if candidate.other_speaker else score


def _lifted(score: float, reason: float) -> float:
    """Returns the score after adding independent evidence."""
    return 1.0 - (1.0 - score) * (1.0 - reason)


def _places(
    scored: list[tuple[float, UUID, int]], wanted: Collection[int], limit: int
) -> Mapping[int, tuple[int, float]]:
    """Returns rank and score of each wanted candidate that the arm proposed, by number.

    The given scores are negated, so that their natural order is best first.
    """
    best = sorted(scored)[: candidate_count(limit)]
    return {
        number: (rank, _unit(-negated))
        for rank, (negated, _, number) in enumerate(best, start=1)
        if number in wanted
    }


def _unit(score: float) -> float:
    """Returns the score limited to 0 to 1."""
    # Nearly all scores are within the limits, and min() and max() cost four times this comparison.
    if 0.0 <= score <= 1.0:
        return score
    return min(max(score, 0.0), 1.0)
