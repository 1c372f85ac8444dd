"""Asynchronous adds, and waiting for them as a client does."""

from __future__ import annotations

from typing import TypeAlias, cast

import grpc
from google.longrunning import operations_proto_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.empty_pb2 import Empty
from google.protobuf.message import Message
from memoir.v1 import memory_service_pb2

from tests.support.api import user_says
from tests.support.server import Client

Operation: TypeAlias = operations_proto_pb2.Operation
Metadata = memory_service_pb2.OperationMetadata


def request(user: str, text: str, **fields: object) -> memory_service_pb2.AddMemoriesRequest:
    """Returns an add of a message of the user, for an answer in the newest form."""
    return memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        messages=user_says(text),
        output_format="v1.1",
        **fields,  # type: ignore[arg-type]  # the fields of the request
    )


async def add(
    client: Client, user: str, text: str, **fields: object
) -> memory_service_pb2.AddMemoriesResponse:
    """Sends an asynchronous add; its response names the operation."""
    return await client.memory.AddMemories(request(user, text, **fields), metadata=client.metadata)


async def call(client: Client, method: str, message: Message, answer: type[Message]) -> Message:
    """Calls a method of google.longrunning.Operations."""
    unary: grpc.aio.UnaryUnaryMultiCallable[Message, Message] = client.channel.unary_unary(
        f"/google.longrunning.Operations/{method}",
        request_serializer=lambda sent: sent.SerializeToString(),
        response_deserializer=answer.FromString,
    )
    return await unary(message, metadata=client.metadata)


async def get(client: Client, name: str) -> Operation:
    """Returns the current state of the operation."""
    found = await call(
        client, "GetOperation", operations_proto_pb2.GetOperationRequest(name=name), Operation
    )
    return cast("Operation", found)


async def wait(client: Client, name: str, seconds: int = 30) -> Operation:
    """Returns the operation once it is done, or after so many seconds."""
    done = await call(
        client,
        "WaitOperation",
        operations_proto_pb2.WaitOperationRequest(name=name, timeout=Duration(seconds=seconds)),
        Operation,
    )
    return cast("Operation", done)


async def cancel(client: Client, name: str) -> None:
    """Cancels the operation."""
    message = operations_proto_pb2.CancelOperationRequest(name=name)
    await call(client, "CancelOperation", message, Empty)


async def delete(client: Client, name: str) -> None:
    """Deletes the operation."""
    message = operations_proto_pb2.DeleteOperationRequest(name=name)
    await call(client, "DeleteOperation", message, Empty)


async def page(client: Client, **fields: object) -> operations_proto_pb2.ListOperationsResponse:
    """One page of the project's operations."""
    found = await call(
        client,
        "ListOperations",
        operations_proto_pb2.ListOperationsRequest(**fields),
        operations_proto_pb2.ListOperationsResponse,
    )
    assert isinstance(found, operations_proto_pb2.ListOperationsResponse)
    return found


def metadata_of(operation: Operation) -> memory_service_pb2.OperationMetadata:
    """The metadata of an operation."""
    metadata = Metadata()
    assert operation.metadata.Unpack(metadata)
    return metadata


def response_of(operation: Operation) -> memory_service_pb2.AddMemoriesResponse:
    """Returns the response of a successful operation."""
    response = memory_service_pb2.AddMemoriesResponse()
    assert operation.response.Unpack(response)
    return response


async def texts(client: Client, user: str) -> list[str]:
    """Returns the texts of the user's memories, oldest first."""
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(
            user_id=user, page_size=1000, order_by="create_time asc"
        ),
        metadata=client.metadata,
    )
    return [memory.text for memory in response.memories]
