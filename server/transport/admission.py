"""How much work is taken on at once; the rest waits for a moment or is refused."""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from server.domain.errors import Overloaded
from server.transport.method_classes import MethodClass

_READ, _WRITE, _STREAM = MethodClass.READ, MethodClass.WRITE, MethodClass.STREAM
# Part of the newest call in the average time that a call takes.
_WEIGHT = 0.05
_LEAST_RETRY_SECONDS, _MOST_RETRY_SECONDS = 0.1, 10.0


@dataclass(frozen=True, slots=True)
class AdmissionLimits:
    """Counts of calls, but for `queue_seconds` and `request_bytes` (of calls taken on or waiting).

    Reads and writes share `concurrency`, of which each may take a part. Writes wait long for a
    model, so many of them are well; reads compute, and more of them at once only make each other
    late. `queue` may wait of each. Streams are not part of that.
    """

    concurrency: int = 128
    reads: int = 32
    writes: int = 96
    queue: int = 128
    queue_seconds: float = 1.0
    streams: int = 1000
    request_bytes: int = 128 * 1024 * 1024


class Admission:
    """Lets calls in up to the limits, reads before writes, in the order of their arrival.

    A call that would wait longer than it may, by what calls took lately, is refused at once: to
    wait and fail then would only cost those that could still be served.
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
        self._bytes = 0

    @property
    def running(self) -> int:
        """How many calls are let in and have not left."""
        return sum(self._running.values())

    @property
    def waiting(self) -> int:
        """How many calls wait to be let in."""
        return sum(map(len, self._queues.values()))

    async def enter(self, kind: MethodClass, size: int, remaining: float) -> float:
        """Lets a call in, which has to leave with what this answers: when it was let in.

        `size` is that of the request in bytes, `remaining` the seconds until the call's deadline.

        Raises:
            Overloaded: there is no room, and none is expected soon enough.
        """
        if self._bytes and self._bytes + size > self._limits.request_bytes:
            raise self._overloaded(kind)
        if not self._has_room(kind) or self._must_wait(kind):
            await self._wait(kind, size, remaining)
        else:
            self._running[kind] += 1
            self._bytes += size
        return self._monotonic()

    def leave(self, kind: MethodClass, size: int, entered: float) -> None:
        """A call that was let in has ended."""
        if kind is not _STREAM:
            seconds = self._monotonic() - entered
            self._seconds[kind] += _WEIGHT * (seconds - self._seconds[kind])
        self._running[kind] -= 1
        self._bytes -= size
        self._let_in()

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
        """Whether others that wait are to be let in first."""
        if kind is _STREAM:
            return False
        return bool(self._queues[kind]) or (bool(self._queues[_READ]) and self._has_room(_READ))

    async def _wait(self, kind: MethodClass, size: int, remaining: float) -> None:
        if kind is _STREAM:
            raise self._overloaded(kind)
        queue = self._queues[kind]
        patience = min(remaining, self._limits.queue_seconds)
        if len(queue) >= self._limits.queue or self._expected_wait(kind) > patience:
            raise self._overloaded(kind)
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        self._bytes += size
        try:
            async with asyncio.timeout(patience):
                await turn
        except BaseException as error:
            self._bytes -= size
            self._withdraw(kind, turn)
            if isinstance(error, TimeoutError):
                raise self._overloaded(kind) from None
            raise

    def _withdraw(self, kind: MethodClass, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            # It was let in and ended in one moment: its place is the next one's.
            self._running[kind] -= 1
            self._let_in()
            return
        with suppress(ValueError):
            self._queues[kind].remove(turn)

    def _let_in(self) -> None:
        for kind, queue in self._queues.items():
            while queue and self._has_room(kind):
                turn = queue.popleft()
                if not turn.done():
                    self._running[kind] += 1
                    turn.set_result(None)

    def _expected_wait(self, kind: MethodClass) -> float:
        """Seconds until a call that came now would be let in, by Little's law."""
        return (len(self._queues[kind]) + 1) * self._seconds[kind] / self._part(kind)

    def _overloaded(self, kind: MethodClass) -> Overloaded:
        """The refusal; its delay is spread, so that those refused now do not all return at once."""
        wait = 1.0 if kind is _STREAM else self._expected_wait(kind)
        spread = wait * random.uniform(1.0, 2.0)  # noqa: S311 - not a secret
        seconds = min(_MOST_RETRY_SECONDS, max(_LEAST_RETRY_SECONDS, spread))
        return Overloaded(timedelta(seconds=round(seconds, 3)))
