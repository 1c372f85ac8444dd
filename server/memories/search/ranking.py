"""Ranking in a search: arms score the memories of a scope, and fusion.py fuses their scores.

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
word of the question with PAIR_SHARE of the average weight. Only candidates are scored by pairs. A
word that occurs in no item of the scope is replaced by words of related meaning, if the embedder
knows some: they count like words of the question, but not in the sum by which scores are divided.

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

All hits of one **message** except the best keep only REPEATED_SHARE of their score
(`lower_repeated`). Hits of a message shorter than SHORT_LENGTH characters lose up to SHORT_SHARE of
their score (`short_shares`): a remark such as "That is lovely!" shares its few words, or those of
the messages around it, with many questions, and answers hardly any.

The **time** arm is how close a memory's event time is to the times in the question. Like the graph,
it raises memories that the other arms have found, but it proposes none.

After the FIRST_HITS best, hits are raised by RESEMBLANCE_SHARE of their **resemblance** to one of
these. A question about many things ("Summarize how my project went") shares words with few of its
answers, but these resemble the others. This is relevance feedback (Rocchio, "Relevance Feedback in
Information Retrieval", 1971) with two differences: a hit is compared with the nearest of the first
hits instead of their mean, because answers differ from each other, and the first hits themselves
stay as they are, because feedback makes their order worse.

ADR 0012, 0028, 0029, 0039, 0055, 0056, 0058, 0063, 0065 and 0071 have the measurements and how the
constants were found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.memories.memory import ArmScore

Numbers: TypeAlias = NDArray[np.int64]
Scores: TypeAlias = NDArray[np.float64]
Flags: TypeAlias = NDArray[np.bool_]
Vectors: TypeAlias = NDArray[np.float32]
Halves: TypeAlias = tuple[NDArray[np.integer], NDArray[np.integer]]
"""The upper and lower halves of ids, in the order of the ids."""


NO_MESSAGE: Final = -1
"""The number of an unknown message. The numbers of known ones are not negative."""


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

SPEAKER_SHARE: Final = 0.5
"""The share of its score that an item loses if the question asks for another speaker's words."""

REPEATED_SHARE: Final = 0.4
"""The share of its score that a hit keeps if its message has a better hit."""

SHORT_LENGTH: Final = 60
"""Below this number of characters a message is short: about a dozen words."""

SHORT_SHARE: Final = 0.5
"""The share of its score that a message without any characters would lose."""

FIRST_HITS: Final = 20
"""How many hits stay as they are when others are raised because they resemble them."""

RESEMBLANCE_SHARE: Final = 0.4
"""The share of the gap between a score and 1 that full resemblance to a first hit adds."""

HALF_WEIGHT_LENGTH: Final = 200
"""The length in characters of a text of which half the resemblance counts. Longer texts count for
more, because short ones resemble each other if they share a word or two."""

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


DEFAULT_WEIGHTS: Final = ArmWeights()
"""The weights for static embeddings (ADR 0012). Learned embeddings get more weight (ADR 0055)."""


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate with its score and the arms that found it.

    `number` is its place among all candidates, from 0.
    """

    number: int
    score: float
    arms: Sequence[ArmScore]


def candidate_count(limit: int) -> int:
    """Returns how many memories each arm proposes, so that the best `limit` are among them."""
    return max(MIN_CANDIDATES, CANDIDATES_PER_HIT * limit)


def needs_vectors(limit: int) -> bool:
    """Whether so many hits are wanted that some can be raised by their resemblance to others."""
    return limit > FIRST_HITS
