"""Ranks the items of a scope index, like `rank` in search.sql but on columns in memory.

server/memories/search/ranking.py explains the formulas and their constants. Tests compare the
scores with those of the statement.
"""

from __future__ import annotations

from datetime import date

import numpy as np

from server.memories.ports import SearchQuery
from server.memories.search.fusion import Numbers, Scores
from server.memories.search.ranking import candidate_count
from server.storage.postgres.candidates import Candidates
from server.storage.postgres.index_context import Conversations
from server.storage.postgres.index_words import QuestionWords
from server.storage.postgres.scope_index import ScopeIndex
from server.storage.postgres.scope_view import ScopeView


class IndexRanking:
    """Ranks the items of an index that are visible on a day; None means all."""

    def __init__(self, index: ScopeIndex, day: date | None) -> None:
        self._view = ScopeView(index, day)
        self._conversations = Conversations(self._view)

    def rank(self, query: SearchQuery, question: bytes) -> Candidates:
        """Returns the best items of each arm, and the items that the graph proposes.

        `question` is the question's tsvector in PostgreSQL's binary form.
        """
        view = self._view
        vector = np.frombuffer(query.vector, dtype=np.float32).astype(np.float16).astype(np.float32)
        dense = view.dense(vector)
        words = QuestionWords(view, question)
        lexical = self._conversations.with_context(words.scores) if words else words.scores
        chosen = _chosen(view, query, dense, lexical)
        return Candidates(
            numbers=view.numbers[chosen].tolist(),
            dense=dense[chosen],
            lexical=words.with_pairs(lexical, chosen),
            halves=(view.order[0][chosen], view.order[1][chosen]),
            messages=view.messages[chosen],
            speakers=view.speakers[chosen],
            known_speakers=view.index.speakers(),
            ids=view.index.ids,
            event_times=view.index.event_times,
            states=view.index.states,
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
