"""The order that a language model gives to the best hits of the other arms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from server.memories.memory import ArmScore
from server.memories.passages import Hit
from server.memories.search.ranking import Arm

RERANKED: Final = 30
"""How many hits are ordered once more, the best of the other arms; it bounds a question's cost."""


def reranking_limit(top_k: int) -> int:
    """How many hits are needed, so that one that the other arms rank too low can come up."""
    return max(top_k, RERANKED)


def reordered(hits: Sequence[Hit], scores: Sequence[float]) -> list[Hit]:
    """The hits by these scores, of the first of them, from 0 to 1; those without one come after.

    Equals keep their order, and each hit keeps its own score: the one that thresholds bound.
    """
    order = sorted(range(len(scores)), key=lambda place: (-scores[place], place))
    first = [
        replace(hits[place], arms=[*hits[place].arms, ArmScore(Arm.RERANK, rank, scores[place])])
        for rank, place in enumerate(order, start=1)
    ]
    return first + list(hits[len(scores) :])
