"""Ranks the items of a scope index, like `rank` in search.sql but on columns in memory.

server/memories/search/ranking.py explains the formulas and their constants. Tests compare the
scores with those of the statement.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain, pairwise
from typing import Final, NamedTuple, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from server.memories.ports import SearchQuery
from server.memories.search.ranking import (
    BM25_B,
    BM25_K1,
    CENTRE_SAMPLE,
    CENTRE_SHRINKAGE,
    CONTEXT_SHARE,
    FAR_SHARE,
    PAIR_REACH,
    PAIR_SHARE,
    REACH,
    SITTING,
    candidate_count,
)
from server.storage.postgres.scope_index import (
    Numbers,
    Occurrences,
    ScopeIndex,
    Scores,
    State,
    Vectors,
    places_in,
    words_in,
)

_UNIT: Final = 1e8
"""Shares that items lend are summed as integers, as in search.sql, so that sums are exact."""

NEIGHBOURS: Final = 2
"""The maximum distance of the words of a pair in a question; see the block `word_pairs`."""

_TEXT_SPAN: Final = 1 << 20
"""More than the places in a text, so that the places of all texts can be numbered in one line."""

_T = TypeVar("_T", bound=np.generic)

_SITTING_MICROSECONDS: Final = int(SITTING.total_seconds() * 1e6)


class Candidate(NamedTuple):
    """The dense and lexical scores of an item that one of these arms or the graph proposes.

    `state` is the item's state if a scope index ranked it, else None.
    """

    memory_id: UUID
    event_time: datetime
    role: str | None
    name: str | None
    message_id: UUID | None
    dense: float
    lexical: float
    state: State | None = None


@dataclass(frozen=True, slots=True)
class _Line:
    """The items of all conversations in their order, one after another.

    `numbers` are their numbers among the visible items. `opens` marks the first of each sitting.
    The items within reach of a message are at the places from `first` to before `end`.
    """

    numbers: Numbers
    lengths: Numbers
    opens: NDArray[np.bool_]
    first: Numbers
    end: Numbers


class ScopeView:
    """The items of an index that are visible on a day, with cached values for searches."""

    def __init__(self, index: ScopeIndex, day: date | None) -> None:
        present = index.is_present()
        if day is not None:
            present &= index.column("expires") >= day.toordinal()
        self._index = index
        self.numbers: Numbers = np.flatnonzero(present)
        self._all = len(self.numbers) == index.size
        self.lengths = self._visible(index.column("length"))
        self.order = self._visible(index.column("high")), self._visible(index.column("low"))
        self.mean_length = float(self.lengths.mean()) if len(self) else 0.0
        self.line = _line(self)
        self._set_centre()

    def __len__(self) -> int:
        """Returns the number of visible items."""
        return len(self.numbers)

    def column(self, name: str) -> Numbers:
        """Returns a column of the index for the visible items."""
        return self._visible(self._index.column(name))

    def dense(self, vector: Vectors) -> Scores:
        """Returns the centred cosine of each visible item with the question."""
        share, common = self._share, float(self._mean @ vector)
        similarity = self._similarity(vector)
        norm = np.sqrt(max(1e-9, 1 - 2 * share * common + share * share * self._square))
        scores: Scores = (similarity - self._pull - share * common) * (self._scale / norm)
        return scores

    def frequencies(self, found: Occurrences | None) -> Numbers:
        """Returns how often a word occurs in each visible item."""
        if found is None:
            return np.zeros(len(self), dtype=np.int64)
        items = np.array(found.items, dtype=np.int64)
        return self._visible(np.bincount(items, minlength=self._index.size))

    def _visible(self, values: NDArray[_T]) -> NDArray[_T]:
        return values if self._all else values[self.numbers]

    def _similarity(self, vector: Vectors) -> Scores:
        """Returns the inner product of each visible item with a vector.

        It does not use `@`, because the threads of its library spin while they wait for each other,
        for milliseconds if other processes use the cores.
        """
        products: Vectors = np.vecdot(self._index.vectors(), vector)
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
        sample = self._index.vectors()[self.numbers[newest]]
        mean = sample.sum(axis=0) * np.float32(1.0 / max(1, len(newest)))
        self._mean: Vectors = mean.astype(np.float16).astype(np.float32)
        self._share = share = len(self) / (len(self) + CENTRE_SHRINKAGE)
        self._square = float(self._mean @ self._mean)
        commonness = self._similarity(self._mean)
        offset = share * share * self._square
        self._pull: Scores = share * commonness - offset
        self._scale: Scores = 1 / np.sqrt(np.maximum(1e-9, 1 - 2 * share * commonness + offset))


def _in_order(view: ScopeView, items: Numbers) -> Numbers:
    """Returns the items by scope, message, and id.

    The parts of ids that distinguish messages of one moment, and items of one message, are slow to
    sort, so they are compared only if everything else is equal.
    """
    keys = [view.column(name)[items] for name in ("message_high", "scope")]
    order = np.lexsort(keys)
    same = np.ones(max(0, len(items) - 1), dtype=np.bool_)
    for key in keys:
        same &= np.diff(key[order]) == 0
    tied = np.flatnonzero(np.append(same, False) | np.append(False, same))
    ties = order[tied]
    high, low = (half[items[ties]] for half in view.order)
    message_low = view.column("message_low")[items[ties]]
    order[tied] = ties[np.lexsort((low, high, message_low, *(key[ties] for key in keys)))]
    return items[order]


def _line(view: ScopeView) -> _Line:
    numbers = _in_order(view, np.flatnonzero(view.column("has_message")))
    scopes, times = view.column("scope")[numbers], view.column("happened")[numbers]
    opens = np.ones(len(numbers), dtype=np.bool_)
    opens[1:] = (np.diff(scopes) != 0) | (np.abs(np.diff(times)) > _SITTING_MICROSECONDS)
    lengths = view.lengths[numbers]
    endings = np.cumsum(lengths)
    starts = endings - lengths
    openings = np.flatnonzero(opens)
    sitting = np.cumsum(opens) - 1
    return _Line(
        numbers,
        lengths,
        opens,
        np.maximum(openings[sitting], np.searchsorted(starts, starts - REACH - 1, side="right")),
        np.minimum(
            np.append(openings[1:], len(numbers))[sitting],
            np.searchsorted(endings, endings + REACH, side="right"),
        ),
    )


class _Words:
    """The words of a question that occur in visible items, and the items' scores for them."""

    def __init__(self, view: ScopeView, index: ScopeIndex, question: bytes) -> None:
        places = {word: places_in(sent).tolist() for word, sent in words_in(question)}
        self.of_question = sorted((at, word) for word in places for at in places[word])
        self.known: dict[bytes, Occurrences] = {}
        self.damping = BM25_K1 * (1 - BM25_B + BM25_B * view.lengths / max(1e-9, view.mean_length))
        self.scores: Scores = np.zeros(len(view), dtype=np.float64)
        total = 0.0
        for word in places:
            found = index.occurrences(word)
            frequencies = view.frequencies(found)
            items = np.flatnonzero(frequencies)
            if found is None or not len(items):
                continue
            weight = float(np.log(1 + (len(view) - len(items) + 0.5) / (len(items) + 0.5)))
            often = frequencies[items]
            self.scores[items] += weight * often * (BM25_K1 + 1) / (often + self.damping[items])
            self.known[word] = found
            total += weight
        if self.known:
            self.scores = np.minimum(1.0, self.scores / total)

    def pairs(self) -> set[tuple[bytes, bytes]]:
        """Returns the words that are adjacent in the question, or with one word in between."""
        return {
            (before, word)
            for (start, before), (end, word) in pairwise(self.of_question)
            if end - start <= NEIGHBOURS and before != word and {before, word} <= self.known.keys()
        }


def rank(
    index: ScopeIndex, view: ScopeView, query: SearchQuery, question: bytes
) -> list[Candidate]:
    """Returns the best items of each arm, and the items that the graph proposes.

    `question` is the question's tsvector in PostgreSQL's binary form.
    """
    if not len(view):
        return []
    vector = np.frombuffer(query.vector, dtype=np.float32).astype(np.float16).astype(np.float32)
    dense = view.dense(vector)
    words = _Words(view, index, question)
    lexical = _with_context(view.line, words.scores) if words.known else words.scores
    chosen = _chosen(index, view, query, dense, lexical)
    final = _with_pairs(index, view, words, lexical, chosen)
    scored = zip(view.numbers[chosen].tolist(), dense[chosen].tolist(), final.tolist(), strict=True)
    return [_candidate(index, *each) for each in scored]


def _candidate(index: ScopeIndex, number: int, dense: float, lexical: float) -> Candidate:
    role, name = index.speakers[number]
    return Candidate(
        index.ids[number],
        index.event_times[number],
        role,
        name,
        index.messages[number],
        dense,
        lexical,
        index.states[number],
    )


def _with_context(line: _Line, own: Scores) -> Scores:
    """Returns the lexical scores with the shares that messages lend to each other."""
    scores = own[line.numbers]
    lenders = np.flatnonzero(scores)
    far, near = np.zeros((2, len(scores)), dtype=np.int64)
    lent = np.log(1 - FAR_SHARE * scores[lenders])
    far[lenders] = np.rint(_UNIT * lent)
    reaching = np.where(line.lengths[lenders] <= REACH, lent, 0)
    near[lenders] = np.rint(_UNIT * (np.log(1 - CONTEXT_SHARE * scores[lenders]) - reaching))
    sums = np.concatenate(([0], np.cumsum(far)))
    rest = sums[line.end] - sums[line.first] - far
    follows = ~line.opens[1:]
    rest[1:] += near[:-1] * follows
    rest[:-1] += near[1:] * follows
    result = own.copy()
    result[line.numbers] = 1 - (1 - scores) * np.exp(rest / _UNIT)
    return result


def _chosen(
    index: ScopeIndex, view: ScopeView, query: SearchQuery, dense: Scores, lexical: Scores
) -> Numbers:
    """Returns the items that one of the arms or the graph proposes."""
    limit = candidate_count(query.limit)
    every = np.arange(len(view))
    if len(view) <= limit:
        return every
    matching = np.flatnonzero(lexical > 0)
    proposed = np.zeros(index.size, dtype=np.bool_)
    proposed[view.numbers[_best(dense, every, view, limit)]] = True
    proposed[view.numbers[_best(lexical[matching], matching, view, limit)]] = True
    proposed[[n for id_ in query.graph if (n := index.number_of(id_)) is not None]] = True
    return np.flatnonzero(proposed[view.numbers])


def _best(scores: Scores, items: Numbers, view: ScopeView, limit: int) -> Numbers:
    """Returns the items with the highest scores, and among equal scores the lowest ids."""
    if len(scores) <= limit:
        return items
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    above, equal = items[scores > least], items[scores == least]
    high, low = (half[equal] for half in view.order)
    return np.concatenate((above, equal[np.lexsort((low, high))[: limit - len(above)]]))


def _with_pairs(
    index: ScopeIndex, view: ScopeView, words: _Words, lexical: Scores, chosen: Numbers
) -> Scores:
    """Returns the lexical scores of the chosen items, including pairs of adjacent words."""
    scores = lexical[chosen]
    pairs = words.pairs()
    if not pairs:
        return scores
    numbers = view.numbers[chosen]
    is_chosen = np.zeros(index.size, dtype=np.bool_)
    is_chosen[numbers] = True
    places = {word: _places(words.known[word], is_chosen) for word in set(chain(*pairs))}
    together = np.zeros(index.size, dtype=np.int64)
    for one, other in pairs:
        has_both = np.zeros(index.size, dtype=np.bool_)
        has_both[_items_with_both(places[one], places[other])] = True
        together += has_both
    known = len(words.known)
    once = (BM25_K1 + 1) / (1 + words.damping[chosen])
    with_pairs = (known * scores + PAIR_SHARE * together[numbers] * once) / (
        known + PAIR_SHARE * len(pairs)
    )
    result: Scores = np.where(words.scores[chosen] > 0, np.minimum(1.0, with_pairs), scores)
    return result


def _places(found: Occurrences, is_chosen: NDArray[np.bool_]) -> Numbers:
    """Returns the places of a word in the chosen items, in one line of all texts."""
    items = np.array(found.items, dtype=np.int64)
    wanted = is_chosen[items]
    return items[wanted] * _TEXT_SPAN + places_in(found.places)[wanted]


def _items_with_both(one: Numbers, other: Numbers) -> Numbers:
    """Returns the items in which two words are within reach of each other."""
    next_other = np.searchsorted(other, one - PAIR_REACH)
    near = np.append(other, np.iinfo(np.int64).max)[next_other] <= one + PAIR_REACH
    return one[near] // _TEXT_SPAN
