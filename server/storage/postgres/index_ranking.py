"""Ranks the items of a scope index, like `rank` in search.sql but on columns in memory.

server/memories/search/ranking.py explains the formulas and their constants. Tests compare the
scores with those of the statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import pairwise
from typing import Final

import numpy as np

from server.memories.queries import SearchQuery
from server.memories.search.ranking import (
    BM25_K1,
    CONTEXT_SHARE,
    FAR_SHARE,
    NO_MESSAGE,
    PAIR_REACH,
    PAIR_SHARE,
    REACH,
    SITTING,
    Flags,
    Numbers,
    Scores,
    candidate_count,
    needs_vectors,
)
from server.storage.postgres.candidates import Candidates
from server.storage.postgres.scope_index import (
    Occurrences,
    ScopeIndex,
    places_in,
    words_in,
)
from server.storage.postgres.scope_view import ScopeView

NEIGHBOURS: Final = 2
"""The maximum distance of the words of a pair in a question; see the block `word_pairs`."""

_BEYOND: Final = np.iinfo(np.int64).max
_TEXT_SPAN: Final = 1 << 20
"""More than the places in a text, so that places of all texts have distinct numbers."""


class QuestionWords:
    """The words of a question that occur in visible items, and the items' scores for them.

    All words are scored together, because for most scopes the number of operations costs more than
    the size of their operands.
    """

    def __init__(self, view: ScopeView, question: bytes, meanings: Sequence[bytes] = ()) -> None:
        """`question` and `meanings` are tsvectors in PostgreSQL's binary form.

        The first word of each of the meanings is a word of the question, and the others are related
        to it: they count if the word itself occurs in no visible item.
        """
        self._view = view
        self._question = dict(words_in(question))
        related = dict.fromkeys(self._related(meanings))
        looked_up = ((word, view.index.occurrences(word)) for word in self._question | related)
        found = {word: occurrences for word, occurrences in looked_up if occurrences is not None}
        self._found: Sequence[Occurrences] = list(found.values())
        self._words, self._items, self._repeats = self._entries()
        self.scores: Scores = np.zeros(len(view), dtype=np.float64)
        # The question's own words come first.
        own = [word for word in found if word in self._question]
        counts = self._add_scores(len(own)).tolist()
        # The numbers of the question's words that a visible item contains.
        self._known = {word: number for number, word in enumerate(own) if counts[number]}

    def _related(self, meanings: Sequence[bytes]) -> Iterator[bytes]:
        """Yields the words that are related to words of the question in no visible item."""
        for meaning in meanings:
            words = dict(words_in(meaning))
            first = next((word for word, places in words.items() if 1 in places_in(places)), None)
            if first in self._question and not self._occurs(first):
                yield from words.keys() - {first}

    def _occurs(self, word: bytes) -> bool:
        """Whether a visible item contains the word."""
        occurrences = self._view.index.occurrences(word)
        if occurrences is None:
            return False
        is_visible = self._view.is_visible(np.frombuffer(occurrences.items, dtype=np.uint32))
        return is_visible is None or bool(is_visible.any())

    def with_pairs(self, lexical: Scores, chosen: Numbers) -> Scores:
        """Returns the lexical scores of the chosen items, including pairs of adjacent words."""
        scores, pairs = lexical[chosen], self._pairs()
        if not pairs:
            return scores
        found_pairs = self._count_pairs(pairs, chosen)
        gain = (BM25_K1 + 1) / (1 + self._view.damping[chosen])
        known = len(self._known)
        with_pairs = (known * scores + PAIR_SHARE * found_pairs * gain) / (
            known + PAIR_SHARE * len(pairs)
        )
        result: Scores = np.where(self.scores[chosen] > 0, np.minimum(1.0, with_pairs), scores)
        return result

    def _entries(self) -> tuple[Numbers, Numbers, Numbers]:
        """Returns which word occurs in which item how often, by word and item, as numbers."""
        sizes = [len(found.items) for found in self._found]
        words = np.arange(len(sizes)).repeat(sizes)
        items = np.frombuffer(b"".join([found.items for found in self._found]), dtype=np.uint32)
        repeats = np.frombuffer(b"".join([found.counts for found in self._found]), dtype=np.uint16)
        return words, items.astype(np.int64), repeats.astype(np.int64)

    def _add_scores(self, own: int) -> Numbers:
        """Computes the scores; returns for each word how many visible items have it.

        The first `own` words are the question's: scores are divided by the sum of their weights, or
        of all weights if no item has such a word.
        """
        view = self._view
        words, items, repeats = self._words, self._items, self._repeats
        is_visible = view.is_visible(items)
        if is_visible is not None:
            words, repeats = words[is_visible], repeats[is_visible]
            items = view.places[items[is_visible]]
        counts = np.bincount(words, minlength=len(self._found))
        weights = np.log(1 + (len(view) - counts + 0.5) / (counts + 0.5))
        gained = weights[words] * repeats * (BM25_K1 + 1) / (repeats + view.damping[items])
        # A word that no visible item has weighs nothing.
        summed = (weights * (counts > 0)).tolist()
        total = sum(summed[:own]) or sum(summed)
        if total:
            added = np.bincount(items, weights=gained, minlength=len(view))
            self.scores = np.minimum(1.0, added / total)
        return counts

    def _pairs(self) -> set[tuple[int, int]]:
        """Returns the words that are adjacent in the question, or with one word in between."""
        known = self._known
        in_order = sorted(
            (place, word)
            for word, places in self._question.items()
            for place in places_in(places).tolist()
        )
        return {
            (known[before], known[word])
            for (start, before), (end, word) in pairwise(in_order)
            if end - start <= NEIGHBOURS and before != word and {before, word} <= known.keys()
        }

    def _count_pairs(self, pairs: set[tuple[int, int]], chosen: Numbers) -> Numbers:
        """Returns for each chosen item how many of the pairs are near each other in it."""
        count = len(chosen)
        words, items, places = self._places_in(chosen)
        ends = np.searchsorted(words, np.arange(len(self._found) + 1)).tolist()
        firsts = [slice(ends[first], ends[first + 1]) for first, _ in pairs]
        shifts = [(second - first) * count * _TEXT_SPAN for first, second in pairs]
        # Searches the places of the second word near those of the first.
        sought = np.concatenate(
            [places[first] + shift for first, shift in zip(firsts, shifts, strict=True)]
        )
        following = np.append(places, _BEYOND)[np.searchsorted(places, sought - PAIR_REACH)]
        found = np.concatenate([items[first] + n * count for n, first in enumerate(firsts)])
        found = found[following <= sought + PAIR_REACH]
        return np.bincount(found[_changes(found)] % count, minlength=count)

    def _places_in(self, chosen: Numbers) -> tuple[Numbers, Numbers, Numbers]:
        """Returns words, items and places of all occurrences in the chosen items.

        Items are numbered as they were chosen, and places in one line: by word, item and place.
        """
        new_numbers = np.full(self._view.index.size, -1, dtype=np.int64)
        new_numbers[self._view.numbers[chosen]] = np.arange(len(chosen))
        items = new_numbers[self._items].repeat(self._repeats)
        wanted = np.flatnonzero(items >= 0)
        places = places_in(b"".join([found.places for found in self._found]))[wanted]
        words, items = self._words.repeat(self._repeats)[wanted], items[wanted]
        return words, items, (words * len(chosen) + items) * _TEXT_SPAN + places


def _changes(values: Numbers) -> Flags:
    """Returns which values differ from the one before; the first one does."""
    changes = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes


_UNIT: Final = 1e8
"""Shares that items lend are summed as integers, as in search.sql, so that sums are exact."""

_SHARES: Final = np.array([[FAR_SHARE], [CONTEXT_SHARE]])

_SITTING_MICROSECONDS: Final = int(SITTING.total_seconds() * 1e6)


class Conversations:
    """The visible items of all conversations in their order, one after another."""

    def __init__(self, view: ScopeView) -> None:
        self._items = items = _in_order(view, np.flatnonzero(view.messages != NO_MESSAGE))
        scopes, times = view.column("scope")[items], view.column("happened")[items]
        opens = np.ones(len(items), dtype=np.bool_)
        opens[1:] = (np.diff(scopes) != 0) | (np.abs(np.diff(times)) > _SITTING_MICROSECONDS)
        lengths = view.lengths[items]
        endings = np.cumsum(lengths)
        starts = endings - lengths
        openings = np.flatnonzero(opens)
        sitting = np.cumsum(opens) - 1
        self._is_short = (lengths <= REACH).astype(np.float64)
        # The places of the items before and after each item in its sitting. Places are counted from
        # 1; place 0 stands for no item.
        places, follows = np.arange(1, len(items) + 1), ~opens
        self._before = np.where(follows, places - 1, 0)
        self._after = np.where(np.append(follows[1:], False), places + 1, 0)
        # The items within reach of a message are at the places from `first` to before `end`.
        self._first = np.maximum(
            openings[sitting], np.searchsorted(starts, starts - REACH - 1, side="right")
        )
        self._end = np.minimum(
            np.append(openings[1:], len(items))[sitting],
            np.searchsorted(endings, endings + REACH, side="right"),
        )

    def with_context(self, own: Scores) -> Scores:
        """Returns the lexical scores with the shares that messages lend to each other."""
        scores = own[self._items]
        lenders = scores.nonzero()[0]
        lent = np.log(1 - _SHARES * scores[lenders])
        lent[1] -= lent[0] * self._is_short[lenders]
        lending = np.zeros((2, len(scores) + 1), dtype=np.int64)
        lending[:, lenders + 1] = np.rint(_UNIT * lent)
        far, near = lending
        sums = far.cumsum()
        within_reach = sums[self._end] - sums[self._first] - far[1:]
        rest = within_reach + near[self._before] + near[self._after]
        result = own.copy()
        result[self._items] = 1 - (1 - scores) * np.exp(rest / _UNIT)
        return result


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


class IndexRanking:
    """Ranks the items of an index that are visible on a day; None means all."""

    def __init__(self, index: ScopeIndex, day: date | None) -> None:
        self._view = ScopeView(index, day)
        self._conversations = Conversations(self._view)

    def rank(
        self, query: SearchQuery, question: bytes, meanings: Sequence[bytes] = ()
    ) -> Candidates:
        """Returns the best items of each arm, and the items that the graph proposes.

        `question` and `meanings` are what `QuestionWords` takes.
        """
        view = self._view
        vector = np.frombuffer(query.vector, dtype=np.float32).astype(np.float16).astype(np.float32)
        dense = view.dense(vector)
        words = QuestionWords(view, question, meanings)
        own = words.scores
        lexical = self._conversations.with_context(own) if own.any() else own
        chosen = _chosen(view, query, dense, lexical)
        return Candidates(
            numbers=view.numbers[chosen].tolist(),
            dense=dense[chosen],
            lexical=words.with_pairs(lexical, chosen),
            halves=(view.order[0][chosen], view.order[1][chosen]),
            messages=view.messages[chosen] if view.shares_messages else None,
            lengths=view.lengths[chosen],
            short_shares=view.short_shares(chosen),
            speakers=view.speakers[chosen],
            known_speakers=view.index.speakers(),
            ids=view.index.ids,
            event_times=view.index.event_times,
            states=view.index.states,
            vectors=view.vectors(chosen) if needs_vectors(query.limit) else None,
        )


def _chosen(view: ScopeView, query: SearchQuery, dense: Scores, lexical: Scores) -> Numbers:
    """Returns the items that one of the arms or the graph proposes."""
    limit = candidate_count(query.limit)
    every = np.arange(len(view))
    if len(view) <= limit:
        return every
    matching = np.flatnonzero(lexical > 0)
    proposed = np.zeros(view.index.size, dtype=np.bool_)
    proposed[view.numbers[_best(dense, every, view, limit)]] = True
    proposed[view.numbers[_best(lexical[matching], matching, view, limit)]] = True
    proposed[[n for id_ in query.graph if (n := view.index.number_of(id_)) is not None]] = True
    return np.flatnonzero(proposed[view.numbers])


def _best(scores: Scores, items: Numbers, view: ScopeView, limit: int) -> Numbers:
    """Returns the items with the highest scores, and among equal scores the lowest ids."""
    if len(scores) <= limit:
        return items
    least = np.partition(scores, len(scores) - limit)[len(scores) - limit]
    above, equal = items[scores > least], items[scores == least]
    high, low = (half[equal] for half in view.order)
    return np.concatenate((above, equal[np.lexsort((low, high))[: limit - len(above)]]))
