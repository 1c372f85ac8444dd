"""Filters over the wire, as clients write them."""

from __future__ import annotations

import grpc
import pytest
import pytest_asyncio
from google.protobuf import json_format
from memoir.v1 import memory_service_pb2

from tests.support.errors import details_of
from tests.support.server import Client

NOTES = {"work": 1, "home": 2, "garden": 3}


@pytest_asyncio.fixture
async def notes(client: Client, user: str) -> None:
    """Three memories of the user, with metadata."""
    for place, rank in NOTES.items():
        body = {
            "user_id": user,
            "infer": False,
            "messages": [{"role": "user", "content": f"A note about {place}."}],
            "metadata": {"place": place, "rank": rank, "at": {"floor": str(rank)}},
        }
        request = json_format.ParseDict(body, memory_service_pb2.AddMemoriesRequest())
        await client.memory.AddMemories(request, metadata=client.metadata)


async def listed(client: Client, **fields: object) -> memory_service_pb2.ListMemoriesResponse:
    request = json_format.ParseDict(fields, memory_service_pb2.ListMemoriesRequest())
    return await client.memory.ListMemories(request, metadata=client.metadata)


async def searched(client: Client, **fields: object) -> list[str]:
    body = {"query": "a note", **fields}
    request = json_format.ParseDict(body, memory_service_pb2.SearchMemoriesRequest())
    response = await client.memory.SearchMemories(request, metadata=client.metadata)
    return [str(hit.memory.metadata["place"]) for hit in response.results]


def places(response: memory_service_pb2.ListMemoriesResponse) -> list[str]:
    return [str(memory.metadata["place"]) for memory in response.memories]


@pytest.mark.usefixtures("notes")
async def test_a_list_holds_only_what_its_filter_matches(client: Client, user: str) -> None:
    filters = {
        "AND": [
            {"create_time": {"gte": "2026-01-01"}},
            {"OR": [{"metadata.rank": {"gt": 2}}, {"metadata.at.floor": "1"}]},
            {"NOT": [{"text": {"icontains": "GARDEN"}}]},
        ]
    }
    assert places(await listed(client, user_id=user, filters=filters)) == ["work"]
    other = {"user_id": "someone else", "metadata.rank": {"gt": 0}}
    assert places(await listed(client, user_id=user, filters=other)) == []


@pytest.mark.usefixtures("notes")
async def test_a_page_token_belongs_to_one_filter(client: Client, user: str) -> None:
    query = {"filters": {"user_id": user, "metadata.rank": {"in": [1, 3]}}, "page_size": 1}
    first = await listed(client, **query)
    second = await listed(client, **query, page_token=first.next_page_token)
    assert places(first) + places(second) == ["garden", "work"]
    assert second.next_page_token == ""
    query["filters"] = {"user_id": user}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(client, **query, page_token=first.next_page_token)
    assert list(details_of(caught.value).violations) == ["page_token"]


@pytest.mark.usefixtures("notes")
async def test_a_search_needs_no_other_scope_than_its_filter(client: Client, user: str) -> None:
    filters = {"user_id": user, "metadata.place": {"ne": "home"}}
    assert sorted(await searched(client, filters=filters)) == ["garden", "work"]
    assert len(await searched(client, filters=filters, top_k=1)) == 1
    assert await searched(client, filters={"user_id": f"{user}' OR true --"}) == []


@pytest.mark.parametrize("method", ["ListMemories", "SearchMemories"])
async def test_every_violation_of_a_filter_is_named(client: Client, user: str, method: str) -> None:
    filters = {
        "AND": [
            {"project_id": "another"},
            {"create_time": {"gte": "soon"}},
            {"metadata.rank": {"like": 1}},
        ],
        "text": None,
    }
    body = {"user_id": user, "filters": filters, "app_id": ""}
    body |= {"query": "a note"} if method == "SearchMemories" else {}
    request = getattr(memory_service_pb2, f"{method}Request")()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await getattr(client.memory, method)(
            json_format.ParseDict(body, request), metadata=client.metadata
        )
    error = details_of(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
    assert set(error.violations) == {
        "app_id",
        "filters.AND[0].project_id",
        "filters.AND[1].create_time.gte",
        "filters.AND[2].metadata.rank.like",
        "filters.text",
    }


async def test_an_empty_filter_is_refused(client: Client, user: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(client, user_id=user, filters={})
    assert list(details_of(caught.value).violations) == ["filters"]
