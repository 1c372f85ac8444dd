"""Caches with a limit of time or size, and work that concurrent callers share."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

from cachetools import TTLCache

from server.core.request_context import current_request, enter_request
from server.telemetry.recording import record_cache_read

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class TtlCache(Generic[K, V]):
    """Holds at most `size` entries, each for `seconds`, and counts hits and misses."""

    def __init__(
        self, seconds: float, size: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._entries: TTLCache[K, V] = TTLCache(size, seconds, monotonic)

    def get(self, key: K) -> V | None:
        """Returns the value if it was stored less than `seconds` ago."""
        value = self._entries.get(key)
        record_cache_read(hit=value is not None)
        return value

    def put(self, key: K, value: V) -> None:
        """Stores the value, evicting the least recently used if there is no room."""
        self._entries[key] = value


class SizedCache(Generic[K, V]):
    """Holds values up to a total size, and drops the least recently used if there is no room.

    An add or a search looks up twenty values, for which cachetools, which moves keys in Python,
    takes 50 µs.
    """

    def __init__(self, most: int, size_of: Callable[[V], int]) -> None:
        """`most` is the maximum size of all values, and `size_of` the size of one."""
        self._most = most
        self._size_of = size_of
        self._values: OrderedDict[K, V] = OrderedDict()
        self._size = 0

    def get(self, key: K) -> V | None:
        """Returns the value if it is held."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        """Stores the value of a key, which must always be the same, unless it exceeds the limit."""
        size = self._size_of(value)
        if size > self._most or key in self._values:
            return
        self._values[key] = value
        self._size += size
        while self._size > self._most:
            _, dropped = self._values.popitem(last=False)
            self._size -= self._size_of(dropped)


@dataclass(frozen=True, slots=True)
class _Work(Generic[V]):
    began: float
    task: asyncio.Task[V]


class SharedAnswers(Generic[K, V]):
    """Shares one run of `work` among all callers within `seconds` of its start or while it runs.

    The work continues if the caller that started it is cancelled or times out, because others may
    be waiting for it. Results that are too old are dropped when the next work starts.
    """

    def __init__(
        self,
        work: Callable[[K], Awaitable[V]],
        seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._work = work
        self._seconds = seconds
        self._monotonic = monotonic
        self._latest: dict[K, _Work[V]] = {}

    async def __call__(self, key: K) -> V:
        """Returns the result of the work.

        Raises:
            Exception: whatever the work raised, in every caller that shares it.
        """
        now = self._monotonic()
        latest = self._latest.get(key)
        if latest is None or self._is_over(latest, now):
            self._forget(now)
            task = asyncio.create_task(self._answer(key))
            # Marks the exception as retrieved, because no caller may be left to receive it.
            task.add_done_callback(lambda done: done.cancelled() or done.exception())
            latest = self._latest[key] = _Work(now, task)
        return await asyncio.shield(latest.task)

    async def _answer(self, key: K) -> V:
        enter_request(current_request().until(float("inf")))
        return await self._work(key)

    def _is_over(self, work: _Work[V], now: float) -> bool:
        return work.task.done() and now - work.began >= self._seconds

    def _forget(self, now: float) -> None:
        over = [key for key, work in self._latest.items() if self._is_over(work, now)]
        for key in over:
            del self._latest[key]
