"""Rules for every method of the contract."""

from __future__ import annotations

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from server.api.grpc.server import CONTRACT
from tests.support.errors import details_of
from tests.support.server import Client

STREAM_SECONDS = 3.0
METHODS = [method for service in CONTRACT for method in service.methods]


def name_of(method: MethodDescriptor) -> str:
    return f"{method.containing_service.full_name}/{method.name}"


async def call(client: Client, method: MethodDescriptor, metadata: tuple[()] | None = None) -> None:
    """Calls a method with an empty request."""
    request = GetMessageClass(method.input_type)()
    chosen = client.metadata if metadata is None else metadata
    path = f"/{name_of(method)}"
    if method.server_streaming:
        stream: grpc.aio.UnaryStreamMultiCallable[Message, Message] = client.channel.unary_stream(
            path,
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(method.output_type).FromString,
        )
        try:
            await stream(request, metadata=chosen, timeout=STREAM_SECONDS).read()
        except grpc.aio.AioRpcError as error:
            # The client's deadline, because a stream is silent while nothing happens.
            if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                raise
        return
    unary: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = client.channel.unary_unary(
        path,
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=GetMessageClass(method.output_type).FromString,
    )
    await unary(request, metadata=chosen)


@pytest.mark.parametrize("method", METHODS, ids=name_of)
async def test_it_is_refused_without_a_key(client: Client, method: MethodDescriptor) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(client, method, metadata=())
    error = details_of(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


@pytest.mark.parametrize("method", METHODS, ids=name_of)
async def test_every_method_succeeds_or_names_its_reason(
    client: Client, method: MethodDescriptor
) -> None:
    try:
        await call(client, method)
    except grpc.aio.AioRpcError as refusal:
        reason = details_of(refusal).reason
    else:
        reason = "none"
    assert reason in {"none", "INVALID_FIELDS"}


async def test_a_method_that_does_not_exist_is_unimplemented(client: Client) -> None:
    nothing: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(
        "/memoir.v1.MemoryService/Nothing"
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await nothing(b"", metadata=client.metadata)
    assert details_of(caught.value).reason == "UNIMPLEMENTED"
