"""Raises hits beyond the first ones that resemble one of these.

A question about many things ("Summarize how my project went") shares words with few of its answers,
but these resemble the others. This is relevance feedback (Rocchio, "Relevance Feedback in
Information Retrieval", 1971) with two differences: a hit is compared with the nearest of the first
hits instead of their mean, because answers differ from each other, and the first hits themselves
stay as they are, because feedback makes their order worse. ADR 0071 has the measurements.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from server.memories.search.ranking import (
    CENTRE_SHRINKAGE,
    FIRST_HITS,
    RESEMBLANCE_SHARE,
    Numbers,
    Scores,
    Vectors,
)

HALF_WEIGHT_LENGTH: Final = 200
"""The length in characters of a text of which half the resemblance counts. Longer texts count for
more, because short ones resemble each other if they share a word or two."""

_LEAST_NORM: Final = np.float32(1e-9)


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
