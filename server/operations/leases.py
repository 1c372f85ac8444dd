"""Turns on a scope by leases, and the release of leases of servers that are gone."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from contextvars import Context
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TypeAlias, TypeVar
from uuid import uuid4

import structlog

from server import failpoints
from server.core.background import Background, backoff, give_back, keep_lease
from server.core.errors import MemoirError
from server.core.request_context import parked
from server.operations.ports import Leases, ScopeLease
from server.telemetry.recording import stage


class ScopeLocks:
    """One lock for each (project, scope), kept only while it is held or waited for."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, bytes], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, project_id: str, scope_key: bytes) -> AsyncIterator[None]:
        """Waits for the scope to be free and holds it during the block."""
        key = (project_id, scope_key)
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            await _acquire(lock)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._leave(key)

    def _leave(self, key: tuple[str, bytes]) -> None:
        lock, users = self._locks[key]
        if users == 1:
            del self._locks[key]
        else:
            self._locks[key] = (lock, users - 1)

    def __len__(self) -> int:
        """Returns how many scopes are held or waited for."""
        return len(self._locks)


async def _acquire(lock: asyncio.Lock) -> None:
    """Takes the lock. A call is parked while it waits."""
    if lock.locked():
        async with parked():
            await lock.acquire()
    else:
        await lock.acquire()


log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class TurnPolicy:
    """Times in seconds: how long a lease lasts, and how often to retry a scope that is taken.

    A lease is renewed three times during its length. If its holder crashes, others wait no longer
    than that length.
    """

    lease: float = 15.0
    first_pause: float = 0.005
    longest_pause: float = 0.1
    release_timeout: float = 5.0

    def pause(self, attempt: int, jitter: float) -> float:
        """Returns the seconds to wait after failed `attempt` (from 1); `jitter` is in [0, 1)."""
        return backoff(attempt, self.first_pause, self.longest_pause, jitter)


class _Renewal:
    """Starts `renew` in a task after some seconds; most turns end earlier and cost only a timer."""

    def __init__(self, seconds: float, renew: Callable[[], Coroutine[None, None, None]]) -> None:
        self._renew = renew
        self._task: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._start)

    def _start(self) -> None:
        self._task = asyncio.create_task(self._renew(), name="lease-renewal")

    def cancel(self) -> None:
        """Ends the renewal without waiting, because a wait would slow down every turn."""
        self._timer.cancel()
        if self._task is not None:
            self._task.cancel()


Read = TypeVar("Read")
Acquire: TypeAlias = Callable[[ScopeLease, timedelta], Awaitable[Read | None]]
"""Takes a lease, and returns what it read with it; nothing if another holder has the lease."""


class ScopeTurns:
    """For each scope, one lock in this process and one lease shared by all servers.

    Because of the lock, at most one call of each process tries to take a scope's lease at a time.
    """

    def __init__(
        self,
        leases: Leases,
        locks: ScopeLocks | None = None,
        policy: TurnPolicy = TurnPolicy(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._leases = leases
        self._locks = locks or ScopeLocks()
        self._policy = policy
        self._duration = timedelta(seconds=policy.lease)
        self._sleep = sleep
        self._jitter = jitter
        self._releases = Background("lease-release")

    @asynccontextmanager
    async def take(
        self, project_id: str, scope_key: bytes, acquire: Acquire[Read]
    ) -> AsyncIterator[tuple[ScopeLease, Read]]:
        """Waits within the call's deadline for the scope to be free and holds it during the block.

        `acquire` takes the lease as `Leases.acquire` does, and may read something with it. A block
        that succeeds has committed with the lease, which ends the lease.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
            DeadlineExceeded: the call's deadline has passed.
        """
        async with self._locks.hold(project_id, scope_key):
            lease = ScopeLease(project_id, scope_key, uuid4())
            renewal: _Renewal | None = None
            try:
                with stage("turn"):
                    read = await self._acquire_when_free(lease, acquire)
                failpoints.reach("lease.held")
                renewal = _Renewal(self._policy.lease / 3, partial(self._renew, lease))
                yield lease, read
            except BaseException:
                self._give_back(lease)
                raise
            finally:
                if renewal is not None:
                    renewal.cancel()

    @asynccontextmanager
    async def hold(self, project_id: str, key: bytes) -> AsyncIterator[None]:
        """Like `take`, for a block whose commit does not end the lease; releases it afterwards.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
            DeadlineExceeded: the call's deadline has passed.
        """
        async with self.take(project_id, key, self._leases.acquire) as (lease, _):
            yield
            self._give_back(lease)

    async def _acquire_when_free(self, lease: ScopeLease, acquire: Acquire[Read]) -> Read:
        read = await acquire(lease, self._duration)
        if read:
            return read
        async with parked():
            attempt = 0
            while not read:
                attempt += 1
                await self._sleep(self._policy.pause(attempt, self._jitter()))
                read = await acquire(lease, self._duration)
            return read

    async def _renew(self, lease: ScopeLease) -> None:
        await keep_lease(
            lambda: self._leases.renew(lease, self._duration),
            self._duration,
            # If no renewal succeeds, the commit is refused.
            lambda error: log.warning("scope_lease.not_renewed", error=type(error).__name__),
            self._sleep,
            is_due=True,
        )
        log.warning("scope_lease.lost")

    def _give_back(self, lease: ScopeLease) -> None:
        """Releases in a separate task, because the call may be cancelled or past its deadline."""
        release = give_back(self._leases.release(lease), self._policy.release_timeout)
        self._releases.start(release, context=Context())


_CHECK_INTERVAL = timedelta(seconds=1)


class FreeLeases:
    """Ends the leases of a server that is missing in two consecutive checks.

    Two checks are needed because a live server may be replacing a lost connection. If it is too
    slow, another server repeats its work, and its own commit is refused. `on_freed` is called when
    there is something to claim.
    """

    def __init__(
        self, leases: Leases, on_freed: Callable[[], None], interval: timedelta = _CHECK_INTERVAL
    ) -> None:
        self._leases = leases
        self._on_freed = on_freed
        self._interval = interval
        self._suspects: AbstractSet[int] = frozenset()

    async def run(self) -> None:
        """Checks periodically until it is cancelled."""
        while True:
            try:
                await self.check()
            except Exception as error:
                # The next check may succeed. After an outage a server may not have reconnected yet.
                self._suspects = frozenset()
                # The pool logs outages.
                if not isinstance(error, MemoirError):
                    log.error("servers.not_checked", exc_info=error)
            await asyncio.sleep(self._interval.total_seconds())

    async def check(self) -> None:
        """Checks once.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        missing = await self._leases.missing()
        gone = missing & self._suspects
        self._suspects = missing - gone
        if not gone:
            return
        ended = await self._leases.end_leases(gone)
        if not ended:
            # This is normal after every orderly shutdown.
            log.info("servers.gone", servers=len(gone), leases=0)
            return
        log.warning("servers.gone", servers=len(gone), leases=ended)
        self._on_freed()
