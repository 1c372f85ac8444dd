"""Keeps long computations from holding up the event loop, and with it every other call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

FEW_ITEMS: Final = 50
"""Up to this many messages or memories are worked on at once: it takes a few milliseconds."""

P = ParamSpec("P")
R = TypeVar("R")


async def by_size(items: int, act: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Calls `act`; in a thread, where it works on more than a few items.

    A thread lets the loop go on every few milliseconds, but costs more than a few items do.

    Raises:
        Exception: whatever `act` raises.
    """
    if items <= FEW_ITEMS:
        return act(*args, **kwargs)
    return await asyncio.to_thread(act, *args, **kwargs)
