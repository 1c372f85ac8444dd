"""Handlers that gRPC allows but the server refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from server.api.grpc.interceptors.chain import behavior_of, run, unknown_method
from server.api.grpc.interceptors.context import describe, final_code
from server.core.errors import Unimplemented


async def test_a_blocking_handler_is_refused() -> None:
    def behavior(_request: Any, _context: Any) -> str:
        return "answer"

    context: Any = None
    with pytest.raises(TypeError, match="asynchronous"):
        await run(behavior, None, context)


async def test_the_name_of_an_unknown_method_is_truncated() -> None:
    path = "/" + "x" * 9000
    handler = unknown_method(path)
    assert describe(path, handler, exists=False).name == "x" * 200
    behavior: Any = behavior_of(handler)
    with pytest.raises(Unimplemented) as refused:
        await behavior(None, None)
    assert len(str(refused.value)) < 300


async def test_a_generator_is_closed_before_its_call_ends() -> None:
    closed: list[object] = []

    async def behavior(_request: Any, _context: Any) -> AsyncIterator[str]:
        try:
            yield "first"
            yield "second"
        finally:
            await asyncio.sleep(0)
            closed.append(asyncio.current_task())

    class Gone:
        async def write(self, _message: object) -> None:
            raise asyncio.CancelledError

    context: Any = Gone()
    with pytest.raises(asyncio.CancelledError):
        await run(behavior, None, context)
    assert closed == [asyncio.current_task()]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (grpc.aio.InternalError("the client is gone"), grpc.StatusCode.CANCELLED),
        (grpc.aio.UsageError("the call is over"), grpc.StatusCode.UNKNOWN),
    ],
)
def test_errors_of_grpc_have_codes_in_the_log(error: Exception, code: grpc.StatusCode) -> None:
    context: Any = None
    assert final_code(context, error) is code
