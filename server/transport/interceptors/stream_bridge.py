"""Lets the OpenTelemetry interceptor run streaming calls, which it expects to be generators."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from server.transport.interceptors.context import Context
from server.transport.interceptors.handlers import Behavior

_NO_RESPONSES: tuple[object, ...] = ()


def as_generator(behavior: Behavior) -> Behavior:
    """A coroutine that writes as a generator that yields nothing.

    The whole call runs within the generator's first and only step, so a cancellation reaches it in
    its own task, which it would not if responses were yielded through the interceptor outside.
    """

    async def generator(request: Any, context: Context) -> AsyncIterator[Any]:
        await behavior(request, context)
        for response in _NO_RESPONSES:
            yield response

    return generator
