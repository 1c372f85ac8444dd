"""Running code as part of a call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from server.core.request_context import RequestContext, enter_request

T = TypeVar("T")


async def in_request(context: RequestContext, work: Callable[[], Awaitable[T]]) -> T:
    """Runs `work` in a task of its own, so that the context ends with it."""

    async def entered() -> T:
        enter_request(context)
        return await work()

    return await asyncio.create_task(entered())
