"""Reading what memories were, over the wire."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.values import to_struct
from tests.support.api import events, listed, remembered, update, update_of
from tests.support.errors import details_of
from tests.support.server import Client

EVENT = memory_pb2.MemoryEvent


async def test_the_history_of_a_deleted_memory_is_read_page_by_page(
    client: Client, user: str
) -> None:
    first = await remembered(client, user, "I work at Acme.")
    second = (await update(client, update_of(first.id, ["text"], text="I left."))).memory
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=first.id),
        metadata=(*client.metadata, ("x-correlation-id", "the-deletion")),
    )

    page = await events(client, first.id, page_size=2)
    rest = await events(client, first.id, page_size=2, page_token=page.next_page_token)

    assert rest.next_page_token == ""
    history = [*page.events, *rest.events]
    assert [(e.type, e.version) for e in history] == [
        (EVENT.ADD, 1),
        (EVENT.UPDATE, 2),
        (EVENT.DELETE, 3),
    ]
    assert [e.HasField("before") for e in history] == [False, True, True]
    assert [e.HasField("after") for e in history] == [True, True, False]
    assert (history[0].after, history[1].before) == (first, first)
    assert (history[1].after, history[2].before) == (second, second)
    assert history[2].provenance.correlation_id == "the-deletion"
    assert history[0].provenance == first.provenance


async def test_an_unknown_memory_has_no_history(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events(client, str(uuid4()))
    assert details_of(caught.value).reason == "MEMORY_NOT_FOUND"


async def test_a_page_token_of_events_belongs_to_one_memory(client: Client, user: str) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    await update(client, update_of(memory.id, ["text"], text="I left."))
    page = await events(client, memory.id, page_size=1)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await events(client, str(uuid4()), page_size=1, page_token=page.next_page_token)
    assert set(details_of(caught.value).violations) == {"page_token"}


async def test_memories_are_read_as_they_were(client: Client, user: str) -> None:
    first = await remembered(client, user, "I work at Acme.")
    second = (await update(client, update_of(first.id, ["text"], text="I left."))).memory
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=first.id), metadata=client.metadata
    )
    assert await listed(client, user) == []
    for memory in (first, second):
        read = await client.memory.GetMemory(
            memory_service_pb2.GetMemoryRequest(id=memory.id, as_of=memory.update_time),
            metadata=client.metadata,
        )
        assert read.memory == memory
        assert await listed(client, user, as_of=memory.update_time) == [memory]
    for part, found in (("Acme", [first]), ("left", [])):
        filters = to_struct({"text": {"contains": part}})
        assert await listed(client, user, as_of=first.update_time, filters=filters) == found
    before = first.update_time.ToDatetime() - timedelta(microseconds=1)
    assert await listed(client, user, as_of=before) == []


async def test_a_search_of_the_past_finds_what_was_there(client: Client, user: str) -> None:
    first = await remembered(client, user, "I work at Acme.")
    second = (await update(client, update_of(first.id, ["text"], text="I paint."))).memory
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=first.id), metadata=client.metadata
    )

    async def found(query: str, as_of: Timestamp | None = None) -> list[memory_pb2.Memory]:
        request = memory_service_pb2.SearchMemoriesRequest(user_id=user, query=query, as_of=as_of)
        response = await client.memory.SearchMemories(request, metadata=client.metadata)
        assert {part.arm for part in response.degraded} == ({"graph"} if as_of else set())
        return [result.memory for result in response.results]

    assert await found("Where do I work?", first.update_time) == [first]
    assert await found("What do I paint?", second.update_time) == [second]
    assert await found("Where do I work?") == []


@pytest.mark.parametrize("as_of", [Timestamp(seconds=2**40), Timestamp(seconds=32503680000)])
async def test_the_future_cannot_be_read(client: Client, user: str, as_of: Timestamp) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(client, user, as_of=as_of)
    assert set(details_of(caught.value).violations) == {"as_of"}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.SearchMemories(
            memory_service_pb2.SearchMemoriesRequest(user_id=user, query="tea", as_of=as_of),
            metadata=client.metadata,
        )
    assert set(details_of(caught.value).violations) == {"as_of"}
