"""Limits concurrent work, of each kind and for each tenant, and refuses the rest."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial

from pydantic import BaseModel, ConfigDict, Field

from server.api.grpc.access_rules import MethodClass
from server.api.grpc.large_messages import LARGE_BYTES
from server.core.fairness import ActiveTenants, Holdings, TurnQueue, share_of
from server.core.pacing import Paces
from server.core.request_context import enter_place
from server.core.transient_errors import Overloaded

_READ, _WRITE, _LARGE = MethodClass.READ, MethodClass.WRITE, MethodClass.LARGE
_STREAM = MethodClass.STREAM
# In the order in which they are admitted.
_QUEUED = (_READ, _WRITE, _LARGE)
_COUNTED_AS = {kind: (kind,) for kind in MethodClass} | {_LARGE: (_WRITE, _LARGE)}
# Weight of the newest call in the average duration of calls.
_NEWEST_WEIGHT = 0.05
_LEAST_RETRY_SECONDS, _MOST_RETRY_SECONDS = 0.1, 10.0
# How long a refusal waits while other tenants are active.
_HELD_BACK_SECONDS = 0.5


class AdmissionLimits(BaseModel):
    """All limits count calls, except `queue_seconds` and `request_bytes` (of all requests held).

    A tenant gets at most three quarters of each, and while others are active a quarter of the
    calls (see `server.core.fairness`).

    Reads and writes share `concurrency`, of which each class may take a part, and `queue` calls of
    each class may wait. While other tenants are active, a tenant's writes with large requests run
    one at a time. Streams are counted separately, and so are parked calls, which only wait for a
    model or their turn on a scope: while `parked` of them wait, no new calls are admitted.
    """

    model_config = ConfigDict(frozen=True)

    concurrency: int = Field(default=128, ge=1, description="Maximum of concurrent calls.")
    reads: int = Field(default=32, ge=1, description="Maximum of reads among them.")
    writes: int = Field(default=96, ge=1, description="Maximum of writes, large or not.")
    queue: int = Field(default=256, ge=0, description="Reads that may wait; also writes.")
    queue_seconds: float = Field(default=1.0, ge=0, description="Longest wait.")
    streams: int = Field(default=1000, ge=1, description="Concurrent streams and waits.")
    parked: int = Field(
        default=1024,
        ge=1,
        description="Calls that may wait for a model or their turn on a scope.",
    )
    request_bytes: int = Field(
        default=128 * 1024 * 1024, ge=1024, description="Total size of requests in progress."
    )


class AdmittedCall:
    """An admitted call; implements `server.core.request_context.Place`."""

    def __init__(
        self, admission: Admission, kind: MethodClass, size: int, tenant: str, entered: float
    ) -> None:
        self._admission = admission
        self._waits = 0
        self.kind = kind
        self.size = size
        self.tenant = tenant
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
            self._admission.forget_parked(self)

    async def take_turn(self) -> None:
        """See the port."""
        await self._admission.take_turn(self.tenant)


class Admission:
    """Admits calls up to the limits, reads before writes, and tenants in turns.

    A tenant may hold three quarters of each limit, or a quarter while other tenants are active (see
    `server.core.fairness`); its own calls keep their order. A call whose expected wait, estimated
    from recent durations, exceeds its limit is refused at once: waiting in vain would only take
    capacity from calls that can still be served. Calls that return from being parked go before
    those that have not begun, and are never refused. While other tenants are active, a tenant's
    calls begin and go on one by one (see `server.core.pacing`), and its refusals are held back.
    """

    def __init__(
        self, limits: AdmissionLimits, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._limit = {
            _READ: limits.reads,
            _WRITE: limits.writes,
            _LARGE: limits.writes,
            _STREAM: limits.streams,
        }
        self._monotonic = monotonic
        self._active = ActiveTenants(monotonic)
        self._paces = Paces()
        self._running = {kind: Holdings() for kind in MethodClass}
        self._seconds = dict.fromkeys(_QUEUED, 0.0)
        self._queues = {kind: TurnQueue() for kind in _QUEUED}
        self._returning = {kind: TurnQueue() for kind in _QUEUED}
        self._parked = Holdings()
        self._bytes = Holdings()
        self._held_back = Holdings()

    @property
    def running(self) -> int:
        """The number of running calls, including streams."""
        return sum(self._running[kind].total for kind in (_READ, _WRITE, _STREAM))

    @property
    def waiting(self) -> int:
        """The number of calls that wait for admission."""
        return sum(map(len, self._queues.values()))

    @property
    def parked(self) -> int:
        """The number of admitted calls that wait for a model, for a scope, or for a place again."""
        return self._parked.total

    async def enter(
        self, kind: MethodClass, size: int, remaining: float, tenant: str
    ) -> AdmittedCall:
        """Admits a call; `leave` must be called when it ends. The current task can park it.

        `size` is the size of the request in bytes, `remaining` the seconds until its deadline,
        `tenant` the tenant whose share it uses.

        Raises:
            Overloaded: there is no place, and none is expected soon enough.
        """
        self._active.note(tenant)
        if kind is _WRITE and size >= LARGE_BYTES:
            kind = _LARGE
        if self._holds_too_much(kind, size, tenant):
            raise self._overloaded(kind, tenant)
        if self._has_room(kind, tenant) and not self._must_wait(kind, tenant):
            self._take_place(kind, tenant)
            self._bytes.add(tenant, size)
        else:
            await self._wait(kind, size, remaining, tenant)
        call = AdmittedCall(self, kind, size, tenant, self._monotonic())
        if kind is not _STREAM:
            try:
                await self.take_turn(tenant)
            except BaseException:
                self.leave(call)
                raise
        enter_place(call)
        return call

    def leave(self, call: AdmittedCall) -> None:
        """Ends an admitted call."""
        self._bytes.subtract(call.tenant, call.size)
        if call.holds_place:
            self._vacate(call)
        if call.kind is not _STREAM:
            average = self._seconds[call.kind]
            self._seconds[call.kind] += _NEWEST_WEIGHT * (call.worked - average)
        self._admit_waiting()

    def park(self, call: AdmittedCall) -> None:
        """Frees the place of a call that begins to wait without doing work."""
        self._parked.add(call.tenant)
        if call.holds_place:
            self._vacate(call)
            self._admit_waiting()

    async def unpark(self, call: AdmittedCall) -> None:
        """Gives a parked call a place again, before all calls that have not begun."""
        kind, tenant = call.kind, call.tenant
        try:
            if self._returning[kind].of(tenant) or not self._has_room(kind, tenant):
                await self._returning[kind].wait(tenant, partial(self._give_back, kind, tenant))
            else:
                self._take_place(kind, tenant)
            call.holds_place = True
            call.since = self._monotonic()
        finally:
            self._parked.subtract(tenant)

    async def take_turn(self, tenant: str) -> None:
        """Waits until a call of the tenant may take its next step, if other tenants are active."""
        if self._active.others_active(tenant):
            await self._paces.step(tenant)

    def forget_parked(self, call: AdmittedCall) -> None:
        """Forgets a parked call that was cancelled: it only cleans up, which needs no place."""
        self._parked.subtract(call.tenant)

    def _vacate(self, call: AdmittedCall) -> None:
        call.holds_place = False
        call.worked += self._monotonic() - call.since
        self._free_place(call.kind, call.tenant)

    def _take_place(self, kind: MethodClass, tenant: str) -> None:
        for counted in _COUNTED_AS[kind]:
            self._running[counted].add(tenant)

    def _free_place(self, kind: MethodClass, tenant: str) -> None:
        for counted in _COUNTED_AS[kind]:
            self._running[counted].subtract(tenant)

    def _holds_too_much(self, kind: MethodClass, size: int, tenant: str) -> bool:
        """Whether its tenant, or all tenants, hold too many bytes or parked calls for this one."""
        limits, held, parked = self._limits, self._bytes, self._parked
        # A request larger than the limit is served if no others are.
        if held.total and held.total + size > limits.request_bytes:
            return True
        if held.of(tenant) and held.of(tenant) + size > share_of(limits.request_bytes):
            return True
        if kind is _STREAM:
            return False
        return parked.total >= limits.parked or parked.of(tenant) >= share_of(limits.parked)

    def _has_room(self, kind: MethodClass, tenant: str) -> bool:
        running = self._running[kind]
        if running.of(tenant) >= self._share(kind, tenant):
            return False
        if kind is _LARGE:
            return self._has_room(_WRITE, tenant)
        if running.total >= self._limit[kind]:
            return False
        if kind is _STREAM:
            return True
        working = self._running[_READ].total + self._running[_WRITE].total
        return working < self._limits.concurrency

    def _share(self, kind: MethodClass, tenant: str) -> int:
        limit = self._limit[kind]
        if kind is _STREAM:
            return share_of(limit)
        share = self._active.long_share if kind is _LARGE else self._active.share
        return share(tenant, limit)

    def _must_wait(self, kind: MethodClass, tenant: str) -> bool:
        """Whether earlier calls of the tenant wait, which must be admitted first."""
        if kind is _STREAM:
            return False
        return bool(self._queues[kind].of(tenant) or self._returning[kind].of(tenant))

    async def _wait(self, kind: MethodClass, size: int, remaining: float, tenant: str) -> None:
        if kind is _STREAM:
            raise self._overloaded(kind, tenant)
        queue, limit = self._queues[kind], self._limits.queue
        patience = min(remaining, self._limits.queue_seconds)
        is_full = len(queue) >= limit or queue.of(tenant) >= share_of(limit)
        if is_full or self._expected_wait(kind, tenant) > patience:
            await self._hold_back(size, remaining, tenant)
            raise self._overloaded(kind, tenant)
        self._bytes.add(tenant, size)
        try:
            async with asyncio.timeout(patience):
                await queue.wait(tenant, partial(self._give_back, kind, tenant))
        except BaseException as error:
            self._bytes.subtract(tenant, size)
            if isinstance(error, TimeoutError):
                raise self._overloaded(kind, tenant) from None
            raise

    async def _hold_back(self, size: int, remaining: float, tenant: str) -> None:
        """Delays a refusal while other tenants are active.

        gRPC hands over calls in order. Those of a client that tries again at once would always be
        in front of the calls of other tenants.
        """
        if (
            not self._active.others_active(tenant)
            or self._held_back.of(tenant) >= self._limits.queue
        ):
            return
        self._bytes.add(tenant, size)
        self._held_back.add(tenant)
        try:
            await asyncio.sleep(min(remaining / 2, _HELD_BACK_SECONDS))
        finally:
            self._held_back.subtract(tenant)
            self._bytes.subtract(tenant, size)

    def _give_back(self, kind: MethodClass, tenant: str) -> None:
        """Passes on the place of a call that was admitted and cancelled at the same time."""
        self._free_place(kind, tenant)
        self._admit_waiting()

    def _admit_waiting(self) -> None:
        for kind in _QUEUED:
            has_room = partial(self._has_room, kind)
            for queue in (self._returning[kind], self._queues[kind]):
                while (admitted := queue.next(has_room)) is not None:
                    self._take_place(kind, admitted)

    def _expected_wait(self, kind: MethodClass, tenant: str) -> float:
        """Returns the expected seconds until a new call is admitted, by Little's law.

        The tenant's own calls precede it, and the same number of calls of each other tenant.
        """
        before = 0
        for queue in (self._queues[kind], self._returning[kind]):
            others = queue.tenants - bool(queue.of(tenant))
            before += min(len(queue), queue.of(tenant) + others * (queue.of(tenant) + 1))
        return (before + 1) * self._seconds[kind] / self._share(kind, tenant)

    def _overloaded(self, kind: MethodClass, tenant: str) -> Overloaded:
        """Returns the refusal; its delay is random, so that clients do not all return at once."""
        wait = 1.0 if kind is _STREAM else self._expected_wait(kind, tenant)
        varied = wait * random.uniform(1.0, 2.0)  # noqa: S311 - not a secret
        seconds = min(_MOST_RETRY_SECONDS, max(_LEAST_RETRY_SECONDS, varied))
        return Overloaded(timedelta(seconds=round(seconds, 3)))
