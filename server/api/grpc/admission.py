"""Limits on concurrent work, of each kind and for each project; the rest is refused."""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from server.core.errors import Overloaded, RateLimited
from server.core.request_context import enter_place

_READING_VERBS = ("Get", "List", "Search", "Find")
# Calls of these last as long as their clients want, and cost next to nothing.
_WAITING_METHODS = frozenset({"google.longrunning.Operations/WaitOperation"})


class MethodClass(StrEnum):
    """The class of a method. Reads go before writes; streams only wait and are counted apart."""

    READ = "read"
    WRITE = "write"
    STREAM = "stream"


def method_class(name: str, *, streams: bool) -> MethodClass:
    """The class of `package.Service/Method`; `streams` where either side streams.

    Methods are named as in the API Improvement Proposals (AIP-130), so the verb is sufficient.
    """
    if streams or name in _WAITING_METHODS:
        return MethodClass.STREAM
    if name.partition("/")[2].startswith(_READING_VERBS):
        return MethodClass.READ
    return MethodClass.WRITE


_READ, _WRITE, _STREAM = MethodClass.READ, MethodClass.WRITE, MethodClass.STREAM
# Weight of the newest call in the average duration of calls.
_WEIGHT = 0.05
_LEAST_RETRY_SECONDS, _MOST_RETRY_SECONDS = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """All limits count calls, except `queue_seconds` and `request_bytes` (of all requests held).

    Reads and writes share `concurrency`, of which each class may take a part, and `queue` calls of
    each class may wait. Streams are separate, and so are parked calls, which only wait for a model
    or for their turn on a scope: while `parked` of those wait, no new calls are admitted.
    """

    concurrency: int = 128
    reads: int = 32
    writes: int = 96
    queue: int = 128
    queue_seconds: float = 1.0
    streams: int = 1000
    request_bytes: int = 128 * 1024 * 1024
    parked: int = 1024


class AdmittedCall:
    """An admitted call; implements `server.core.request_context.Place`."""

    def __init__(self, admission: Admission, kind: MethodClass, size: int, entered: float) -> None:
        self._admission = admission
        self._waits = 0
        self.kind = kind
        self.size = size
        self.since = entered
        self.worked = 0.0
        self.holds_place = True

    def vacate(self) -> None:
        """See the port."""
        self._waits += 1
        if self._waits == 1 and self.kind is not _STREAM:
            self._admission.park(self)

    async def retake(self) -> None:
        """See the port."""
        self._waits -= 1
        if not self._waits and self.kind is not _STREAM:
            await self._admission.unpark(self)

    def forgo(self) -> None:
        """See the port."""
        self._waits -= 1
        if not self._waits and self.kind is not _STREAM:
            self._admission.forget_parked()


class Admission:
    """Admits calls up to the limits, reads before writes, and otherwise in the order of arrival.

    A call whose expected wait, estimated from recent durations, exceeds its limit is refused at
    once: waiting in vain would only take capacity from calls that can still be served. Calls that
    return from being parked go before those that have not begun, and are never refused.
    """

    def __init__(
        self, limits: AdmissionLimits, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._monotonic = monotonic
        self._running = dict.fromkeys(MethodClass, 0)
        self._seconds = {_READ: 0.0, _WRITE: 0.0}
        self._queues: dict[MethodClass, deque[asyncio.Future[None]]] = {
            _READ: deque(),
            _WRITE: deque(),
        }
        self._returning: dict[MethodClass, deque[asyncio.Future[None]]] = {
            _READ: deque(),
            _WRITE: deque(),
        }
        self._parked = 0
        self._bytes = 0

    @property
    def running(self) -> int:
        """The number of running calls, including streams."""
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        """The number of calls that wait for admission."""
        return sum(map(len, self._queues.values()))

    @property
    def parked(self) -> int:
        """The number of admitted calls that wait for a model, for a scope, or for a place again."""
        return self._parked

    async def enter(self, kind: MethodClass, size: int, remaining: float) -> AdmittedCall:
        """Admits a call; `leave` must be called when it ends. The current task can park it.

        `size` is the size of the request in bytes, `remaining` the seconds until its deadline.

        Raises:
            Overloaded: there is no room, and none is expected soon enough.
        """
        if self._bytes and self._bytes + size > self._limits.request_bytes:
            raise self._overloaded(kind)
        if self._parked >= self._limits.parked and kind is not _STREAM:
            raise self._overloaded(kind)
        if not self._has_room(kind) or self._must_wait(kind):
            await self._wait(kind, size, remaining)
        else:
            self._running[kind] += 1
            self._bytes += size
        call = AdmittedCall(self, kind, size, self._monotonic())
        enter_place(call)
        return call

    def leave(self, call: AdmittedCall) -> None:
        """Ends an admitted call."""
        self._bytes -= call.size
        if call.holds_place:
            self._vacate(call)
        if call.kind is not _STREAM:
            average = self._seconds[call.kind]
            self._seconds[call.kind] += _WEIGHT * (call.worked - average)
        self._let_in()

    def park(self, call: AdmittedCall) -> None:
        """Frees the place of a call that begins to wait without doing work."""
        self._parked += 1
        if call.holds_place:
            self._vacate(call)
            self._let_in()

    async def unpark(self, call: AdmittedCall) -> None:
        """Gives a parked call a place again, before all calls that have not begun."""
        try:
            if self._returning[call.kind] or not self._has_room(call.kind):
                await self._take_turn(call.kind, self._returning[call.kind])
            else:
                self._running[call.kind] += 1
            call.holds_place = True
            call.since = self._monotonic()
        finally:
            self._parked -= 1

    def forget_parked(self) -> None:
        """Forgets a parked call that was cancelled: it only cleans up, which needs no place."""
        self._parked -= 1

    def _vacate(self, call: AdmittedCall) -> None:
        call.holds_place = False
        call.worked += self._monotonic() - call.since
        self._running[call.kind] -= 1

    def _has_room(self, kind: MethodClass) -> bool:
        limits, running = self._limits, self._running
        if kind is _STREAM:
            return running[_STREAM] < limits.streams
        if running[kind] >= self._part(kind):
            return False
        return running[_READ] + running[_WRITE] < limits.concurrency

    def _part(self, kind: MethodClass) -> int:
        return self._limits.writes if kind is _WRITE else self._limits.reads

    def _must_wait(self, kind: MethodClass) -> bool:
        """Whether waiting calls must be admitted first."""
        if kind is _STREAM:
            return False
        if self._queues[kind] or self._returning[kind]:
            return True
        return bool(self._queues[_READ]) and self._has_room(_READ)

    async def _wait(self, kind: MethodClass, size: int, remaining: float) -> None:
        if kind is _STREAM:
            raise self._overloaded(kind)
        queue = self._queues[kind]
        patience = min(remaining, self._limits.queue_seconds)
        if len(queue) >= self._limits.queue or self._expected_wait(kind) > patience:
            raise self._overloaded(kind)
        self._bytes += size
        try:
            async with asyncio.timeout(patience):
                await self._take_turn(kind, queue)
        except BaseException as error:
            self._bytes -= size
            if isinstance(error, TimeoutError):
                raise self._overloaded(kind) from None
            raise

    async def _take_turn(self, kind: MethodClass, queue: deque[asyncio.Future[None]]) -> None:
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                # It was admitted and cancelled at the same moment: the next call gets its place.
                self._running[kind] -= 1
                self._let_in()
            else:
                with suppress(ValueError):
                    queue.remove(turn)
            raise

    def _let_in(self) -> None:
        for kind in (_READ, _WRITE):
            for queue in (self._returning[kind], self._queues[kind]):
                while queue and self._has_room(kind):
                    turn = queue.popleft()
                    if not turn.done():
                        self._running[kind] += 1
                        turn.set_result(None)

    def _expected_wait(self, kind: MethodClass) -> float:
        """Seconds until a call that arrives now would be admitted, by Little's law."""
        before = len(self._queues[kind]) + len(self._returning[kind])
        return (before + 1) * self._seconds[kind] / self._part(kind)

    def _overloaded(self, kind: MethodClass) -> Overloaded:
        """The refusal; its delay is random, so that clients do not all come back at once."""
        wait = 1.0 if kind is _STREAM else self._expected_wait(kind)
        spread = wait * random.uniform(1.0, 2.0)  # noqa: S311 - not a secret
        seconds = min(_MOST_RETRY_SECONDS, max(_LEAST_RETRY_SECONDS, spread))
        return Overloaded(timedelta(seconds=round(seconds, 3)))


MOST_PROJECTS = 100_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled: float


class RateLimiter:
    """A token bucket for each project: `burst` calls at once, and `rate` calls a second after that.

    With more than 100,000 projects, those that called longest ago are forgotten, and start again
    with a full bucket. Source: ITU-T I.371, the generic cell rate algorithm as a continuous bucket.
    """

    def __init__(
        self, rate: float, burst: int, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """A `rate` of 0 means no limit."""
        self._rate = rate
        self._burst = float(burst)
        self._monotonic = monotonic
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, project_id: str) -> None:
        """Counts one call of the project.

        Raises:
            RateLimited: the bucket is empty; its delay ends when the bucket allows a call again.
        """
        if not self._rate:
            return
        bucket = self._filled(project_id)
        if bucket.tokens < 1.0:
            raise RateLimited(timedelta(seconds=(1.0 - bucket.tokens) / self._rate))
        bucket.tokens -= 1.0

    def _filled(self, project_id: str) -> _Bucket:
        now = self._monotonic()
        bucket = self._buckets.get(project_id)
        if bucket is None:
            if len(self._buckets) >= MOST_PROJECTS:
                self._buckets.popitem(last=False)
            bucket = self._buckets[project_id] = _Bucket(self._burst, now)
        self._buckets.move_to_end(project_id)
        bucket.tokens = min(self._burst, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        return bucket
