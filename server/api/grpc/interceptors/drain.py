"""Draining: refuses new calls and waits for running ones."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Any

from server.core.transient_errors import ShuttingDown


class DrainGate:
    """Tracks the calls in flight, and admits none once it is closed."""

    def __init__(self) -> None:
        self._closed = False
        self._is_cut = False
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_event = time.monotonic()
        self.closing = asyncio.Event()
        """Set when the gate closes: endless streams must end then."""

    @property
    def in_flight(self) -> int:
        """The number of calls that have entered but not left."""
        return len(self._in_flight)

    def admitted(self) -> CallInFlight:
        """Admits the call of the current task for the block.

        Raises:
            ShuttingDown: the gate is closed, or the call was cut off.
        """
        return CallInFlight(self)

    def enter(self, call: asyncio.Task[Any]) -> None:
        """Admits a call.

        Raises:
            ShuttingDown: the gate is closed.
        """
        if self._closed:
            self._last_event = time.monotonic()
            raise ShuttingDown
        self._in_flight.add(call)
        self._idle.clear()

    def leave(self, call: asyncio.Task[Any]) -> None:
        """Ends an admitted call."""
        self._in_flight.discard(call)
        self._last_event = time.monotonic()
        if not self._in_flight:
            self._idle.set()

    @property
    def is_cut(self) -> bool:
        """Whether calls in flight were cancelled by `cut`."""
        return self._is_cut

    def cut(self) -> int:
        """Cancels the calls that are still in flight and returns their number."""
        self._is_cut = True
        for call in self._in_flight:
            call.cancel()
        return len(self._in_flight)

    def close(self) -> None:
        """Refuses calls from now on, for good."""
        self._closed = True
        self.closing.set()
        self._last_event = time.monotonic()

    async def idle(self) -> None:
        """Returns when no call is in flight."""
        await self._idle.wait()

    async def quiet(self, seconds: float) -> None:
        """Returns once no call was refused or ended, and the gate did not close, for this long."""
        # This is not polling: each sleep ends at the earliest possible instant.
        while (left := self._last_event + seconds - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)


class CallInFlight:
    """The block of one call; a class, because that is cheaper than a generator."""

    __slots__ = ("_call", "_gate")

    def __init__(self, gate: DrainGate) -> None:
        self._gate = gate
        self._call: asyncio.Task[Any] | None = None

    def __enter__(self) -> None:
        self._call = asyncio.current_task()
        assert self._call is not None
        self._gate.enter(self._call)

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        assert self._call is not None
        self._gate.leave(self._call)
        if self._gate.is_cut and isinstance(error, asyncio.CancelledError):
            # `cut` cancelled the call: the client gets the reason and a retry delay.
            self._call.uncancel()
            raise ShuttingDown from error
