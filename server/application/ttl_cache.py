"""A small cache whose entries are believed for a while."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from server.telemetry.recording import record_cache_read

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """Holds at most `size` entries, each for `seconds`; the oldest go first."""

    def __init__(
        self, seconds: float, size: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._monotonic = monotonic
        self._entries: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        """The value, if it was put less than `seconds` ago."""
        entry = self._entries.get(key)
        if entry is None:
            record_cache_read(hit=False)
            return None
        expiry, value = entry
        if self._monotonic() >= expiry:
            del self._entries[key]
            record_cache_read(hit=False)
            return None
        record_cache_read(hit=True)
        return value

    def put(self, key: K, value: V) -> None:
        """Remembers the value, making room by forgetting the oldest."""
        self._entries.pop(key, None)
        while len(self._entries) >= self._size:
            self._entries.popitem(last=False)
        self._entries[key] = (self._monotonic() + self._seconds, value)
