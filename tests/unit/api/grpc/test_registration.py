"""All methods of a service are served, even those that its servicer does not implement."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.rpc import error_details_pb2
from grpc_status import rpc_status
from memoir.v1 import memory_service_pb2

from server.api.grpc.interceptors.chain import DecodingInterceptor, InterceptorChain
from server.api.grpc.server import CONTRACT, add_service
from server.api.grpc.status import ErrorsInterceptor

Deleted = memory_service_pb2.DeleteMemoryResponse
Watched = memory_service_pb2.WatchMemoryEventsResponse


class Partial:
    """Implements two of the service's methods."""

    async def DeleteMemory(self, request: Any, _context: object) -> Any:  # noqa: N802 - the contract's name
        return Deleted(consistency_token=f"deleted {request.id}")

    async def WatchMemoryEvents(self, request: Any, _context: object) -> AsyncIterator[Any]:  # noqa: N802 - the same
        for number in range(2):
            yield Watched(cursor=f"{request.user_id} {number}")


@asynccontextmanager
async def serving(servicer: object) -> AsyncIterator[grpc.aio.Channel]:
    """Opens a channel to a server of the whole contract, with `servicer` for each service."""
    server = grpc.aio.server(
        interceptors=[InterceptorChain([ErrorsInterceptor(), DecodingInterceptor()])]
    )
    for service in CONTRACT:
        add_service(server, service, servicer)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    try:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield channel
    finally:
        await server.stop(None)


async def refusal(channel: grpc.aio.Channel, path: str) -> grpc.aio.AioRpcError:
    """Returns the error of a call with an empty request. Unary calls are sent as streams too."""
    call: Any = channel.unary_stream(path)
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await anext(aiter(call(b"")))
    return raised.value


@pytest.mark.parametrize("service", CONTRACT, ids=lambda service: str(service.name))
async def test_a_method_without_an_implementation_is_unimplemented(
    service: ServiceDescriptor,
) -> None:
    async with serving(object()) as channel:
        for method in service.methods:
            error = await refusal(channel, f"/{service.full_name}/{method.name}")
            assert error.code() is grpc.StatusCode.UNIMPLEMENTED
            status = rpc_status.from_call(error)
            info = error_details_pb2.ErrorInfo()
            assert any(detail.Unpack(info) for detail in status.details)
            assert info.metadata["method"] == f"{service.full_name}/{method.name}"


async def test_an_implemented_method_is_run() -> None:
    request = memory_service_pb2.DeleteMemoryRequest(id="x")
    async with serving(Partial()) as channel:
        delete: Any = channel.unary_unary("/memoir.v1.MemoryService/DeleteMemory")
        raw = await delete(request.SerializeToString())
    assert Deleted.FromString(raw).consistency_token == "deleted x"


async def test_an_implemented_stream_is_run() -> None:
    request = memory_service_pb2.WatchMemoryEventsRequest(user_id="alice")
    async with serving(Partial()) as channel:
        watch: Any = channel.unary_stream("/memoir.v1.MemoryService/WatchMemoryEvents")
        received = [raw async for raw in watch(request.SerializeToString())]
    assert [Watched.FromString(raw).cursor for raw in received] == ["alice 0", "alice 1"]
