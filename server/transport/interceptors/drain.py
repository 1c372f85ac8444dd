"""Ending in order: no call begins any more, and those that have begun are waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from server.domain.errors import ShuttingDown
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method


class DrainGate:
    """Counts the calls in flight, and lets none in once it is closed."""

    def __init__(self) -> None:
        self._closed = False
        self._is_cut = False
        self._in_flight: set[asyncio.Task[Any]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._last_event = time.monotonic()
        self.closing = asyncio.Event()
        """Set when the gate closes: streams without an end have to end."""

    @property
    def in_flight(self) -> int:
        """How many calls have entered and not left."""
        return len(self._in_flight)

    @contextmanager
    def passed(self) -> Iterator[None]:
        """Lets the call of the current task in for the block.

        Raises:
            ShuttingDown: the gate is closed, or the call was cut off.
        """
        if self._closed:
            self._last_event = time.monotonic()
            raise ShuttingDown
        task = asyncio.current_task()
        assert task is not None
        self._in_flight.add(task)
        self._idle.clear()
        try:
            yield
        except asyncio.CancelledError as cancelled:
            if not self._is_cut:
                raise
            # That of `cut`, so that the client is told why, and when to come back.
            task.uncancel()
            raise ShuttingDown from cancelled
        finally:
            self._in_flight.discard(task)
            self._last_event = time.monotonic()
            if not self._in_flight:
                self._idle.set()

    def cut(self) -> int:
        """Ends the calls that are still in flight; how many they are."""
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
        """Returns when this long ago a call was last refused or ended, or the gate was closed."""
        # Not polling: each sleep ends at the earliest instant that could be the one.
        while (left := self._last_event + seconds - time.monotonic()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(left)


class DrainInterceptor(CallInterceptor):
    """Lets calls through the gate.

    Health and reflection pass beside it: who asks about a drain is answered, and who watches for
    its end does not keep it from ending.
    """

    def __init__(self, gate: DrainGate) -> None:
        self._gate = gate

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.is_public:
            return await proceed(request, context)
        with self._gate.passed():
            return await proceed(request, context)
