"""The items of a scope index that are visible on a day, with values that searches share.

server/memories/search/ranking.py explains the formulas.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from server.memories.search.fusion import short_shares
from server.memories.search.ranking import (
    BM25_B,
    BM25_K1,
    CENTRE_SAMPLE,
    CENTRE_SHRINKAGE,
    NO_MESSAGE,
    Flags,
    Numbers,
    Scores,
    Vectors,
)
from server.storage.postgres.scope_index import ScopeIndex

_T = TypeVar("_T", bound=np.generic)


class ScopeView:
    """The visible items. `numbers` are their numbers in the index."""

    def __init__(self, index: ScopeIndex, day: date | None) -> None:
        present = index.is_present()
        if day is not None:
            present &= index.column("expires") >= day.toordinal()
        self.index = index
        self.numbers: Numbers = np.flatnonzero(present)
        self._all = len(self.numbers) == index.size
        self._is_visible = present
        self.lengths = self._visible(index.column("length"))
        self.order = self._visible(index.column("high")), self._visible(index.column("low"))
        mean_length = float(self.lengths.mean()) if len(self) else 0.0
        self.damping: Scores = np.asarray(
            BM25_K1 * (1 - BM25_B + BM25_B * self.lengths / max(1e-9, mean_length)),
            dtype=np.float64,
        )
        self._set_centre()

    def __len__(self) -> int:
        """Returns the number of visible items."""
        return len(self.numbers)

    @cached_property
    def messages(self) -> Numbers:
        """The messages of the visible items, by number."""
        return self.column("message")

    @cached_property
    def shares_messages(self) -> bool:
        """Whether several visible items are of the same message."""
        known = self.messages[self.messages != NO_MESSAGE]
        return len(np.unique(known)) < len(known)

    @cached_property
    def speakers(self) -> Numbers:
        """The speakers of the visible items, by number."""
        return self.column("speaker")

    @cached_property
    def places(self) -> Numbers:
        """The place of each number of the index among the visible items."""
        return np.cumsum(self._is_visible) - 1

    def short_shares(self, chosen: Numbers) -> Scores:
        """Returns the `short_shares` of some of the visible items."""
        if len(chosen) == len(self):
            return self._short_shares
        return short_shares(self.messages[chosen], self.lengths[chosen])

    @cached_property
    def _short_shares(self) -> Scores:
        """Those of all visible items. Only they are cached, because they depend on each other."""
        return short_shares(self.messages, self.lengths)

    def is_visible(self, numbers: Numbers) -> Flags | None:
        """Returns which of these numbers are visible; None if all items are."""
        return None if self._all else self._is_visible[numbers]

    def column(self, name: str) -> Numbers:
        """Returns a column of the index for the visible items."""
        return self._visible(self.index.column(name))

    def vectors(self, chosen: Numbers) -> Vectors:
        """Returns the embeddings of some of the visible items."""
        return self.index.vectors()[self.numbers[chosen]]

    def dense(self, vector: Vectors) -> Scores:
        """Returns the centred cosine of each visible item with the question."""
        # With m for share * mean, and unit vectors q (question) and v (item): the cosine of q - m
        # and v - m is (qv - mv - mq + mm) / (|q - m| |v - m|).
        share, mean_similarity = self._share, float(self._mean @ vector)
        similarity = self._similarity(vector)
        norm = np.sqrt(
            max(1e-9, 1 - 2 * share * mean_similarity + share * share * self._mean_square)
        )
        scores: Scores = (similarity - self._from_mean - share * mean_similarity) * (
            self._inverse_norms / norm
        )
        return scores

    def _visible(self, values: NDArray[_T]) -> NDArray[_T]:
        return values if self._all else values[self.numbers]

    def _similarity(self, vector: Vectors) -> Scores:
        """Returns the inner product of each visible item with a vector.

        It does not use `@`, because the threads of its library spin while they wait for each other,
        for milliseconds if other processes use the cores.
        """
        products: Vectors = np.vecdot(self.index.vectors(), vector)
        return self._visible(products).astype(np.float64)

    def _newest(self, count: int) -> Numbers:
        """Returns the newest items. Only possible ones are sorted, because ids have no order."""
        created = self.column("created")
        if count < len(created):
            least = np.partition(created, len(created) - count)[len(created) - count]
            late = np.flatnonzero(created >= least)
        else:
            late = np.arange(len(created))
        high, low = (half[late] for half in self.order)
        return late[np.lexsort((low, high, created[late]))[-count:]]

    def _set_centre(self) -> None:
        """Computes the mean vector of the newest items, in half precision as in the statement."""
        newest = self._newest(CENTRE_SAMPLE)
        sample = self.index.vectors()[self.numbers[newest]]
        mean = sample.sum(axis=0) * np.float32(1.0 / max(1, len(newest)))
        self._mean: Vectors = mean.astype(np.float16).astype(np.float32)
        self._share = share = len(self) / (len(self) + CENTRE_SHRINKAGE)
        self._mean_square = float(self._mean @ self._mean)
        similarity = self._similarity(self._mean)
        offset = share * share * self._mean_square
        # mv - mm, and 1 / |v - m|, for `dense`.
        self._from_mean: Scores = share * similarity - offset
        self._inverse_norms: Scores = 1 / np.sqrt(
            np.maximum(1e-9, 1 - 2 * share * similarity + offset)
        )
