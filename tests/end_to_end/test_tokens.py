"""Tokens between servers and projects."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from tests.support.errors import details_of
from tests.support.server import Client, Home, connected, key_of_new

USER = "alice"


async def add(client: Client, text: str) -> str:
    """Adds a message and returns the token of the add."""
    response = await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id=USER, infer=False, messages=[memory_pb2.Message(role="user", content=text)]
        ),
        metadata=client.metadata,
    )
    return response.consistency_token


async def next_page(client: Client) -> str:
    """The token of the second of two pages."""
    first = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id=USER, page_size=1), metadata=client.metadata
    )
    return first.next_page_token


async def cursor(client: Client) -> str:
    """A cursor that is after all events so far."""
    stream = client.memory.WatchMemoryEvents(
        memory_service_pb2.WatchMemoryEventsRequest(user_id=USER), metadata=client.metadata
    )
    async for response in stream:
        stream.cancel()
        return response.cursor
    raise AssertionError("the stream ended")


async def read_page(client: Client, token: str) -> Any:
    return await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id=USER, page_size=1, page_token=token),
        metadata=client.metadata,
    )


async def search(client: Client, token: str) -> Any:
    return await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(
            user_id=USER, query="tea", consistency_token=token
        ),
        metadata=client.metadata,
    )


async def relations(client: Client, token: str) -> Any:
    return await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(user_id=USER, consistency_token=token),
        metadata=client.metadata,
    )


async def watch(client: Client, token: str) -> Any:
    stream = client.memory.WatchMemoryEvents(
        memory_service_pb2.WatchMemoryEventsRequest(user_id=USER, cursor=token),
        metadata=client.metadata,
    )
    try:
        return await stream.read()
    finally:
        stream.cancel()


Read = Callable[[Client, str], Awaitable[Any]]


async def violations(read: Read, client: Client, token: str) -> list[str]:
    """The fields that a refused call names."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await read(client, token)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    return list(details_of(caught.value).violations)


async def test_tokens_belong_to_one_project_and_work_on_all_servers(home: Home) -> None:
    first, second = home.server(), home.server()
    await first.start()
    await second.start()
    key, other_key = await key_of_new(home), await key_of_new(home)
    async with (
        connected(first.address, key) as client,
        connected(second.address, key) as elsewhere,
        connected(first.address, other_key) as other,
    ):
        since = await cursor(client)
        await add(client, "I drink tea.")
        token = await add(client, "I play chess.")
        page = await next_page(client)
        await search(elsewhere, token)
        await relations(elsewhere, token)
        assert len((await read_page(elsewhere, page)).memories) == 1
        assert (await watch(elsewhere, since)).event.after.text == "I drink tea."

        reads: list[tuple[Read, str, str]] = [
            (read_page, page, "page_token"),
            (search, token, "consistency_token"),
            (relations, token, "consistency_token"),
            (watch, since, "cursor"),
        ]
        for read, known, field in reads:
            assert await violations(read, other, known) == [field]
            forged = ("B" if known[0] == "A" else "A") + known[1:]
            for wrong in (known[:-4], forged, "WyJwb3NpdGlvbiIsIjEiXQ"):
                assert await violations(read, client, wrong) == [field]
    assert await first.stop() == 0
    assert await second.stop() == 0
