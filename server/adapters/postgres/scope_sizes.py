"""Which scopes are large, as the searches of them found."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from server.domain.passages import EVERY_SOURCE, Source
from server.domain.scope import Scope

LARGE: Final = 2_000
"""Memories from which a scope is searched by candidates: below, comparing all of them is faster."""

_MOST_SCOPES: Final = 10_000
_Place: TypeAlias = tuple[str, Scope, frozenset[Source]]

_TRUSTED_SECONDS: Final = 600.0
"""How long a size is used. The statistics of words change little within that."""


@dataclass(frozen=True, slots=True)
class ScopeSize:
    """How much a scope holds, of what is searched, and the mean length in characters."""

    memories: float
    mean_length: float


class ScopeSizes:
    """The sizes of the scopes that were searched lately and hold `large` memories or more."""

    def __init__(self, large: int = LARGE, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._large = large
        self._monotonic = monotonic
        self._sizes: OrderedDict[_Place, tuple[float, ScopeSize]] = OrderedDict()

    def of(
        self, project_id: str, scope: Scope, sources: frozenset[Source] = EVERY_SOURCE
    ) -> ScopeSize | None:
        """The size of a scope if it is known to be large."""
        known = self._sizes.get((project_id, scope, sources))
        if known is None or self._monotonic() - known[0] > _TRUSTED_SECONDS:
            return None
        return known[1]

    def learn(
        self,
        project_id: str,
        scope: Scope,
        size: ScopeSize,
        sources: frozenset[Source] = EVERY_SOURCE,
    ) -> None:
        """Keeps what a search that looked at the whole scope has found."""
        place = project_id, scope, sources
        self._sizes.pop(place, None)
        if size.memories < self._large:
            return
        while len(self._sizes) >= _MOST_SCOPES:
            self._sizes.popitem(last=False)
        self._sizes[place] = self._monotonic(), size
