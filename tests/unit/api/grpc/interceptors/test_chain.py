"""Wrapping handlers in interceptors."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from server.api.grpc.interceptors.chain import DecodingInterceptor, InterceptorChain
from server.api.grpc.interceptors.context import (
    CallContext,
    CallInterceptor,
    Method,
    Proceed,
    describe,
)
from server.core.errors import Unimplemented
from tests.unit.api.grpc.calls import Wire, unary

PATH = "/s.S/M"


class Details:
    """The details of a call from gRPC."""

    invocation_metadata = ()

    def __init__(self, method: str) -> None:
        self.method = method


class Noting(CallInterceptor):
    """Records when a call enters and leaves it."""

    def __init__(self, name: str, notes: list[str]) -> None:
        self._name = name
        self._notes = notes

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        self._notes.append(f"{self._name} of {method.name}")
        response = await proceed(request, context)
        self._notes.append(f"{self._name} after {response}")
        return response


def answering(answer: str) -> Any:
    async def behavior(_request: Any, _context: Any) -> str:
        return answer

    return unary(behavior)


async def nothing() -> AsyncIterator[bytes]:
    for request in list[bytes]():
        yield request


async def intercepted(chain: InterceptorChain, handler: Any, path: str = PATH) -> Any:
    async def continuation(_details: Any) -> Any:
        return handler

    details: Any = Details(path)
    return await chain.intercept_service(continuation, details)


async def test_the_first_interceptor_is_the_outermost() -> None:
    notes: list[str] = []
    chain = InterceptorChain([Noting("a", notes), DecodingInterceptor(), Noting("b", notes)])
    handler = await intercepted(chain, answering("x"))
    assert await handler.unary_unary(b"", Wire()) == b"x"
    assert notes == ["a of s.S/M", "b of s.S/M", "b after x", "a after b'x'"]


async def test_a_handler_is_wrapped_once_for_all_calls() -> None:
    chain = InterceptorChain([DecodingInterceptor()])
    handler = answering("x")
    assert await intercepted(chain, handler) is await intercepted(chain, handler)


async def test_another_handler_with_the_same_name_is_wrapped_again() -> None:
    chain = InterceptorChain([DecodingInterceptor()])
    await intercepted(chain, answering("x"))
    other = await intercepted(chain, answering("y"))
    assert await other.unary_unary(b"", Wire()) == b"y"


async def test_methods_that_do_not_exist_take_no_memory() -> None:
    chain = InterceptorChain([DecodingInterceptor()])
    for number in range(3):
        handler = await intercepted(chain, None, f"/no.Such/Method{number}")
        with pytest.raises(Unimplemented):
            await handler.stream_stream(nothing(), Wire())
    assert not chain._intercepted


@pytest.mark.parametrize(
    ("path", "name", "is_public"),
    [
        ("/memoir.v1.MemoryService/AddMemories", "memoir.v1.MemoryService/AddMemories", False),
        ("/grpc.health.v1.Health/Check", "grpc.health.v1.Health/Check", True),
        ("/grpc.reflection.v1.ServerReflection/X", "grpc.reflection.v1.ServerReflection/X", True),
        ("/odd", "odd", False),
    ],
)
def test_a_method_is_described_by_its_path(path: str, name: str, is_public: bool) -> None:
    described = describe(path, answering(""))
    assert (described.name, described.is_public) == (name, is_public)


@pytest.mark.parametrize(
    ("factory", "streams"),
    [
        (grpc.unary_unary_rpc_method_handler, (False, False)),
        (grpc.unary_stream_rpc_method_handler, (False, True)),
        (grpc.stream_unary_rpc_method_handler, (True, False)),
        (grpc.stream_stream_rpc_method_handler, (True, True)),
    ],
)
def test_a_method_is_described_by_its_handler(factory: Any, streams: tuple[bool, bool]) -> None:
    described = describe(PATH, factory(None))
    assert (described.streams_requests, described.streams_responses) == streams
