"""Waits during which a call does no work: for a model, or for its turn on a scope.

A call that waits like this for a second holds nothing scarce, so it must not keep others out. The
transport gives each call a place among those that work; whoever begins such a wait parks the call,
which frees its place until the wait is over.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from typing import Protocol


class Place(Protocol):
    """The place of one call among those that work."""

    def vacate(self) -> None:
        """Frees the place. May be called again before `retake`, by a part of the call beside."""
        ...

    async def retake(self) -> None:
        """Waits for a place again, unless another part of the call is still parked."""
        ...

    def forgo(self) -> None:
        """Ends the wait without taking a place again."""
        ...


_place: ContextVar[Place | None] = ContextVar("place", default=None)


def enter_place(place: Place) -> None:
    """Makes `place` that of the current task and of the tasks that it starts."""
    _place.set(place)


@asynccontextmanager
async def parked() -> AsyncIterator[None]:
    """Frees the call's place for the block. Without a place, in background work, it does nothing.

    A block that is cancelled takes no place again: what is left of the call is cleaning up.
    """
    place = _place.get()
    if place is None:
        yield
        return
    place.vacate()
    try:
        yield
    except asyncio.CancelledError:
        place.forgo()
        raise
    except BaseException:
        await place.retake()
        raise
    else:
        await place.retake()
