"""The conversations of a scope in memory, in which messages lend lexical scores to each other.

server/memories/search/ranking.py explains the formula.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from server.memories.search.fusion import Numbers, Scores
from server.memories.search.ranking import CONTEXT_SHARE, FAR_SHARE, REACH, SITTING
from server.storage.postgres.scope_index import NO_MESSAGE
from server.storage.postgres.scope_view import ScopeView

_UNIT: Final = 1e8
"""Shares that items lend are summed as integers, as in search.sql, so that sums are exact."""

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
        self._follows = ~opens[1:]
        self._is_short = lengths <= REACH
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
        lenders = np.flatnonzero(scores)
        lending = scores[lenders]
        far, near = np.zeros((2, len(scores)), dtype=np.int64)
        lent = np.log(1 - FAR_SHARE * lending)
        far[lenders] = np.rint(_UNIT * lent)
        reaching = np.where(self._is_short[lenders], lent, 0)
        near[lenders] = np.rint(_UNIT * (np.log(1 - CONTEXT_SHARE * lending) - reaching))
        sums = np.zeros(len(scores) + 1, dtype=np.int64)
        np.cumsum(far, out=sums[1:])
        rest = sums[self._end] - sums[self._first] - far
        rest[1:] += near[:-1] * self._follows
        rest[:-1] += near[1:] * self._follows
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
