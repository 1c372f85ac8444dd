"""Quotas: limits on a project's content, call rate and concurrency."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from cachetools import LRUCache

from server.core.background import Background
from server.core.errors import QuotaExceeded
from server.core.transient_errors import QuotaInUse, StoreUnavailable
from server.projects.ports import ProjectStore
from server.projects.project import Quotas, StorageUse

REFRESH_SECONDS: Final = 5.0
"""How old quotas and counts may be, in seconds, unless counting takes long."""

# Counting takes at most this share of the time, so that large projects are counted less often.
_COUNTING_SHARE: Final = 0.01
_MOST_PROJECTS: Final = 10_000
_RETRY = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuotaUsage:
    """A quota and how much of it is used."""

    name: str
    limit: int
    used: int


class ProjectUse:
    """A project's quotas, content and calls in progress, as far as this process knows."""

    def __init__(self, use: StorageUse, now: float, cost: float) -> None:
        self.calls = 0
        self.streams = 0
        self._filled = now
        self._tokens = float(use.quotas.calls_per_second)
        self.refresh(use, now, cost)

    def refresh(self, use: StorageUse, now: float, cost: float) -> None:
        """Stores quotas and counts that were just read, which took `cost` seconds."""
        self.quotas: Quotas = use.quotas
        self.memories = use.memories
        self.bytes = use.bytes
        self.stale_at = now + max(REFRESH_SECONDS, cost / _COUNTING_SHARE)

    def enter(self, now: float, *, is_stream: bool, stores: bool) -> None:
        """Counts a call; `leave` must be called when it ends.

        Raises:
            QuotaExceeded: the call would store something, and the project is full.
            QuotaInUse: the project has reached its call rate, or its number of calls or streams.
        """
        quotas = self.quotas
        if stores:
            for name, limit, used in (
                ("memories", quotas.memories, self.memories),
                ("bytes", quotas.bytes, self.bytes),
            ):
                if limit and used >= limit:
                    raise QuotaExceeded(name, limit)
        if is_stream:
            if quotas.streams and self.streams >= quotas.streams:
                raise QuotaInUse("streams", quotas.streams, _RETRY)
        elif quotas.calls and self.calls >= quotas.calls:
            raise QuotaInUse("calls", quotas.calls, _RETRY)
        self._take_token(now)
        self.streams += is_stream
        self.calls += not is_stream

    def leave(self, *, is_stream: bool) -> None:
        """Ends a call that has entered."""
        self.streams -= is_stream
        self.calls -= not is_stream

    def usages(self) -> list[QuotaUsage]:
        """Returns the quotas that are set. For the rate, `used` is about the last second."""
        rate = self.quotas.calls_per_second
        usages = (
            QuotaUsage("memories", self.quotas.memories, self.memories),
            QuotaUsage("bytes", self.quotas.bytes, self.bytes),
            QuotaUsage("calls_per_second", rate, max(0, rate - int(self._tokens))),
            QuotaUsage("calls", self.quotas.calls, self.calls),
            QuotaUsage("streams", self.quotas.streams, self.streams),
        )
        return [usage for usage in usages if usage.limit]

    def _take_token(self, now: float) -> None:
        """Takes a token from a bucket with the calls of one second."""
        rate = self.quotas.calls_per_second
        if not rate:
            return
        self._tokens = min(rate, self._tokens + (now - self._filled) * rate)
        self._filled = now
        if self._tokens < 1.0:
            wait = timedelta(seconds=(1.0 - self._tokens) / rate)
            raise QuotaInUse("calls_per_second", rate, wait)
        self._tokens -= 1.0


class ProjectQuotas:
    """Enforces the quotas of projects, without a round trip.

    The content of a project is counted every few seconds in the background, and only if it has a
    quota for it. So a project can exceed that quota by what it stores in between. Calls and streams
    are counted in each serving process.
    """

    def __init__(
        self, projects: ProjectStore, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._projects = projects
        self._monotonic = monotonic
        self._uses: LRUCache[str, ProjectUse] = LRUCache(_MOST_PROJECTS)
        self._refreshing: set[str] = set()
        self._background = Background("quotas")

    async def enter(self, project_id: str, *, is_stream: bool, stores: bool) -> ProjectUse:
        """Counts a call of the project; `leave` must be called on the result.

        Raises:
            QuotaExceeded, QuotaInUse: a quota does not allow the call.
            StoreUnavailable: the quotas have not been read yet, and cannot be read now.
        """
        use = await self._use(project_id)
        use.enter(self._monotonic(), is_stream=is_stream, stores=stores)
        return use

    async def usages(self, project_id: str) -> Sequence[QuotaUsage]:
        """Returns the project's quotas and how much of them is used.

        Raises:
            StoreUnavailable: the quotas have not been read yet, and cannot be read now.
        """
        return (await self._use(project_id)).usages()

    async def _use(self, project_id: str) -> ProjectUse:
        use = self._uses.get(project_id)
        if use is None:
            storage, cost = await self._read(project_id)
            # If another call has stored its reading in the meantime, that is used.
            use = self._uses.setdefault(project_id, ProjectUse(storage, self._monotonic(), cost))
        elif self._monotonic() >= use.stale_at and project_id not in self._refreshing:
            self._refreshing.add(project_id)
            self._background.start(
                self._refresh(project_id, use),
                context=Context(),
                on_end=lambda: self._refreshing.discard(project_id),
            )
        return use

    async def _refresh(self, project_id: str, use: ProjectUse) -> None:
        # The earlier values are used until the store is available again.
        with suppress(StoreUnavailable):
            storage, cost = await self._read(project_id)
            use.refresh(storage, self._monotonic(), cost)

    async def _read(self, project_id: str) -> tuple[StorageUse, float]:
        began = self._monotonic()
        storage = await self._projects.storage_use(project_id)
        return storage, self._monotonic() - began
