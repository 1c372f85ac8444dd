"""Clients with gRPC's default settings can read all stored data, however large it is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from google.longrunning import operations_proto_pb2
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.errors import details_of
from tests.support.server import Client

KILOBYTES_198 = 198_000


def request(
    user: str, count: int, first: int = 0, **fields: object
) -> memory_service_pb2.AddMemoriesRequest:
    return memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        infer=False,
        messages=[
            memory_pb2.Message(role="tool", content=f"{number} ".ljust(KILOBYTES_198, "x"))
            for number in range(first, first + count)
        ],
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )


async def pages(client: Client, user: str) -> AsyncIterator[list[str]]:
    """The texts of each page of a list; of each text the first word."""
    token = ""
    while True:
        page = await client.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(
                user_id=user, page_size=100, order_by="create_time asc", page_token=token
            ),
            metadata=client.metadata,
        )
        yield [memory.text.split()[0] for memory in page.memories]
        token = page.next_page_token
        if not token:
            return


@pytest.mark.parametrize("async_mode", [False, True])
async def test_an_add_that_could_not_be_answered_is_refused_before_it_is_stored(
    client: Client, user: str, async_mode: bool
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.AddMemories(
            request(user, 30, async_mode=async_mode), metadata=client.metadata
        )
    details = details_of(caught.value)
    assert details.code is grpc.StatusCode.INVALID_ARGUMENT
    assert details.reason == "ANSWER_TOO_LARGE"
    assert details.metadata["limit"] in details.message
    assert set(details.violations) == {"messages"}
    assert [page async for page in pages(client, user)] == [[]]


async def test_every_memory_is_listed_in_pages_that_end_early(client: Client, user: str) -> None:
    for first in (0, 15):
        added = await client.memory.AddMemories(request(user, 15, first), metadata=client.metadata)
        assert len(added.results) == 15
    listed = [page async for page in pages(client, user)]
    assert sorted(int(number) for page in listed for number in page) == list(range(30))
    assert len(listed) == 2


async def test_operations_with_large_answers_are_listed(client: Client, user: str) -> None:
    names = []
    for first in (0, 15):
        accepted = await client.memory.AddMemories(
            request(user, 15, first, async_mode=True), metadata=client.metadata
        )
        names.append(accepted.operation.name)
    wait = client.channel.unary_unary(
        "/google.longrunning.Operations/WaitOperation",
        request_serializer=operations_proto_pb2.WaitOperationRequest.SerializeToString,
        response_deserializer=operations_proto_pb2.Operation.FromString,
    )
    for name in names:
        done = await wait(
            operations_proto_pb2.WaitOperationRequest(name=name),
            metadata=client.metadata,
            timeout=60,
        )
        assert done.HasField("response")
    listing = client.channel.unary_unary(
        "/google.longrunning.Operations/ListOperations",
        request_serializer=operations_proto_pb2.ListOperationsRequest.SerializeToString,
        response_deserializer=operations_proto_pb2.ListOperationsResponse.FromString,
    )
    asked = operations_proto_pb2.ListOperationsRequest(page_size=2, filter="done = true")
    first_page = await listing(asked, metadata=client.metadata)
    assert [operation.name for operation in first_page.operations] == [names[1]]
    asked.page_token = first_page.next_page_token
    second_page = await listing(asked, metadata=client.metadata)
    # After it come operations of other tests.
    assert second_page.operations[0].name == names[0]
