"""Leases that are kept while work lasts, and given back early."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta


async def keep_lease(
    renew: Callable[[], Awaitable[bool]],
    length: timedelta,
    on_failure: Callable[[Exception], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    *,
    is_due: bool = False,
) -> None:
    """Renews a lease after every third of its length, and returns once it is lost.

    `renew` returns whether the lease is still held. If it fails, `on_failure` logs the error; the
    next renewal may succeed. With `is_due`, the first renewal is made at once.
    """
    is_held = True
    while is_held:
        if not is_due:
            await sleep(length.total_seconds() / 3)
        is_due = False
        try:
            is_held = await renew()
        except Exception as error:  # noqa: BLE001 - the lease lasts for two more renewals
            on_failure(error)


async def give_back(release: Awaitable[object], seconds: float) -> None:
    """Tries to end a lease early, so that others need not wait for it to expire."""
    with suppress(Exception):
        async with asyncio.timeout(seconds):
            await release
