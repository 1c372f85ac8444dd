"""The words of a question in a scope index, and the scores that items get for them.

server/memories/search/ranking.py explains the formulas.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np

from server.memories.search.fusion import Flags, Numbers, Scores
from server.memories.search.ranking import BM25_K1, PAIR_REACH, PAIR_SHARE
from server.storage.postgres.scope_index import Occurrences, places_in, words_in
from server.storage.postgres.scope_view import ScopeView

NEIGHBOURS: Final = 2
"""The maximum distance of the words of a pair in a question; see the block `word_pairs`."""

_BEYOND: Final = np.iinfo(np.int64).max
_TEXT_SPAN: Final = 1 << 20
"""More than the places in a text, so that the places of all texts can be numbered in one line."""


class QuestionWords:
    """The words of a question that occur in visible items, and the items' scores for them.

    All words are scored together, because for most scopes the number of operations costs more than
    the size of their operands.
    """

    def __init__(self, view: ScopeView, question: bytes) -> None:
        """`question` is the question's tsvector in PostgreSQL's binary form."""
        self._view = view
        self._sent = dict(words_in(question))
        occurring = ((word, view.index.occurrences(word)) for word in self._sent)
        found = [(word, of) for word, of in occurring if of is not None]
        self._found: Sequence[Occurrences] = [of for _, of in found]
        self._words, self._items = self._occurrences()
        self.scores: Scores = np.zeros(len(view), dtype=np.float64)
        counts = self._add_scores()
        self._known = {word: n for n, (word, _) in enumerate(found) if counts[n]}

    def __len__(self) -> int:
        """Returns the number of words."""
        return len(self._known)

    def with_pairs(self, lexical: Scores, chosen: Numbers | None) -> Scores:
        """Returns the lexical scores of the chosen items, including pairs of adjacent words.

        None means all visible items.
        """
        scores, own, damping = lexical, self.scores, self._view.damping
        if chosen is not None:
            scores, own, damping = scores[chosen], own[chosen], damping[chosen]
        pairs = self._pairs()
        if not pairs:
            return scores
        together = self._items_with(pairs, chosen)
        once = (BM25_K1 + 1) / (1 + damping)
        known = len(self)
        with_pairs = (known * scores + PAIR_SHARE * together * once) / (
            known + PAIR_SHARE * len(pairs)
        )
        result: Scores = np.where(own > 0, np.minimum(1.0, with_pairs), scores)
        return result

    def _occurrences(self) -> tuple[Numbers, Numbers]:
        """Returns all occurrences by word and item: the number of the word, and the item's."""
        counts = [len(of.items) for of in self._found]
        words = np.repeat(np.arange(len(counts)), counts)
        items = np.frombuffer(b"".join([of.items for of in self._found]), dtype=np.uint32)
        return words, items.astype(np.int64)

    def _add_scores(self) -> Numbers:
        """Computes the scores; returns for each word how many visible items have it."""
        view = self._view
        words, items = self._words, self._items
        is_visible = view.is_visible(items)
        if is_visible is not None:
            words, items = words[is_visible], view.places[items[is_visible]]
        begins = np.flatnonzero(_changes(words * (len(view) + 1) + items))
        often = np.diff(begins, append=len(items))
        words, items = words[begins], items[begins]
        counts = np.bincount(words, minlength=len(self._found))
        weights = np.log(1 + (len(view) - counts + 0.5) / (counts + 0.5))
        gained = weights[words] * often * (BM25_K1 + 1) / (often + view.damping[items])
        total = sum(weights[counts > 0].tolist())
        if total:
            added = np.bincount(items, weights=gained, minlength=len(view))
            self.scores = np.minimum(1.0, added / total)
        return counts

    def _pairs(self) -> set[tuple[int, int]]:
        """Returns the words that are adjacent in the question, or with one word in between."""
        known = self._known
        in_order = sorted(
            (place, word) for word in self._sent for place in places_in(self._sent[word]).tolist()
        )
        return {
            (known[before], known[word])
            for (start, before), (end, word) in pairwise(in_order)
            if end - start <= NEIGHBOURS and before != word and {before, word} <= known.keys()
        }

    def _items_with(self, pairs: set[tuple[int, int]], chosen: Numbers | None) -> Numbers:
        """Returns for each chosen item how many of the pairs are near each other in it."""
        view, words, items = self._view, self._words, self._items
        numbers = view.numbers if chosen is None else view.numbers[chosen]
        at = np.full(view.index.size, -1, dtype=np.int64)
        at[numbers] = np.arange(len(numbers))
        wanted = np.flatnonzero(at[items] >= 0)
        places = places_in(b"".join([of.places for of in self._found]))[wanted]
        words, items = words[wanted], at[items[wanted]]
        # All occurrences in one line: by word, item and place.
        line = (words * len(numbers) + items) * _TEXT_SPAN + places
        ends = np.searchsorted(words, np.arange(len(self._found) + 1)).tolist()
        of_first = [slice(ends[one], ends[one + 1]) for one, _ in pairs]
        shifts = [(other - one) * len(numbers) * _TEXT_SPAN for one, other in pairs]
        # The places of the second word are sought beside those of the first.
        sought = np.concatenate([line[of] + by for of, by in zip(of_first, shifts, strict=True)])
        pair = np.repeat(np.arange(len(pairs)), [of.stop - of.start for of in of_first])
        following = np.append(line, _BEYOND)[np.searchsorted(line, sought - PAIR_REACH)]
        found = pair * len(numbers) + np.concatenate([items[of] for of in of_first])
        found = found[following <= sought + PAIR_REACH]
        return np.bincount(found[_changes(found)] % len(numbers), minlength=len(numbers))


def _changes(values: Numbers) -> Flags:
    """Returns which values differ from the one before; the first one does."""
    changes = np.ones(len(values), dtype=np.bool_)
    np.not_equal(values[1:], values[:-1], out=changes[1:])
    return changes
