"""Listing and deleting whole scopes over the wire."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest
from google.protobuf import json_format
from memoir.v1 import graph_service_pb2, memory_service_pb2

from server.api.grpc.convert.values import to_struct
from server.core.values import JsonObject
from tests.support.api import add, listed
from tests.support.errors import details_of
from tests.support.server import Client

USER = memory_service_pb2.SCOPE_KIND_USER
APP = memory_service_pb2.SCOPE_KIND_APP


async def relations_of(client: Client, user: str, token: str) -> list[str]:
    response = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(user_id=user, consistency_token=token),
        metadata=client.metadata,
    )
    return [relation.target for relation in response.relations]


async def test_the_memories_of_a_scope_are_deleted_with_a_receipt(
    client: Client, user: str
) -> None:
    first = await add(client, user, "I work at Acme.")
    await add(client, user, "I sing.", infer=False, run_id="r1", immutable=True)
    await add(client, f"{user}-other", "I sing.", infer=False)
    assert await relations_of(client, user, first.consistency_token) == ["Acme"]

    request = memory_service_pb2.DeleteMemoriesRequest(user_id=user, request_id=str(uuid4()))
    response = await client.memory.DeleteMemories(request, metadata=client.metadata)

    receipt = response.receipt
    assert (receipt.memories, receipt.graph_memories) == (2, 1)
    assert (receipt.messages, receipt.events) == (0, 0)
    assert await listed(client, user, show_expired=True) == []
    assert await relations_of(client, user, response.consistency_token) == []
    assert len(await listed(client, f"{user}-other")) == 1
    history = await client.memory.ListMemoryEvents(
        memory_service_pb2.ListMemoryEventsRequest(id=first.results[0].id),
        metadata=client.metadata,
    )
    assert len(history.events) == 2
    await add(client, user, "I came back.", infer=False)
    again = await client.memory.DeleteMemories(request, metadata=client.metadata)
    assert again == response
    assert len(await listed(client, user)) == 1


async def test_no_deletion_without_a_scope(client: Client) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteMemories(
            memory_service_pb2.DeleteMemoriesRequest(), metadata=client.metadata
        )
    assert details_of(caught.value).reason == "INVALID_FIELDS"


async def test_only_what_matches_a_filter_is_deleted(client: Client, user: str) -> None:
    await add(client, user, "I sing.", infer=False, run_id="r1")
    await add(client, user, "I swim.", infer=False, run_id="r2")
    mine: JsonObject = {"AND": [{"user_id": user}, {"text": {"contains": "sing"}}]}
    response = await client.memory.DeleteMemories(
        memory_service_pb2.DeleteMemoriesRequest(filters=to_struct(mine), across_scopes=True),
        metadata=client.metadata,
    )
    assert response.receipt.memories == 1
    assert [memory.text for memory in await listed(client, user)] == ["I swim."]


@pytest.mark.parametrize("nothing", [{}, {"AND": []}, {"nothing": 1}])
async def test_an_empty_filter_deletes_nothing(
    client: Client, user: str, nothing: dict[str, object]
) -> None:
    await add(client, user, "I sing.", infer=False)
    request = memory_service_pb2.DeleteMemoriesRequest()
    json_format.ParseDict(nothing, request.filters)
    request.filters.SetInParent()
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteMemories(request, metadata=client.metadata)
    assert details_of(caught.value).reason == "INVALID_FIELDS"
    assert len(await listed(client, user)) == 1


async def test_everything_about_a_user_is_deleted(client: Client, user: str) -> None:
    first = await add(client, user, "I work at Acme.")
    await add(client, user, "I sing.", infer=False, run_id="r1")
    gone = await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=first.results[0].id), metadata=client.metadata
    )
    assert gone.consistency_token
    request = memory_service_pb2.DeleteScopeRequest(kind=USER, id=user, request_id=str(uuid4()))

    response = await client.memory.DeleteScope(request, metadata=client.metadata)

    receipt = response.receipt
    assert (receipt.memories, receipt.messages, receipt.events) == (1, 2, 3)
    assert await listed(client, user, show_expired=True) == []
    assert await relations_of(client, user, response.consistency_token) == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.ListMemoryEvents(
            memory_service_pb2.ListMemoryEventsRequest(id=first.results[0].id),
            metadata=client.metadata,
        )
    assert details_of(caught.value).reason == "MEMORY_NOT_FOUND"
    assert await client.memory.DeleteScope(request, metadata=client.metadata) == response
    request.ClearField("request_id")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteScope(request, metadata=client.metadata)
    error = details_of(caught.value)
    assert (error.code, error.reason) == (grpc.StatusCode.NOT_FOUND, "SCOPE_NOT_FOUND")


async def test_scopes_are_listed_page_by_page(client: Client, user: str) -> None:
    # As long as an id can be, in the characters that take the most space in a token.
    apps = [f"{user}-{letter}".ljust(256, "\N{OLD ITALIC LETTER A}") for letter in "abc"]
    for app in apps:
        await add(client, user, "I sing.", infer=False, app_id=app)
    await add(client, user, "I dance.", infer=False, app_id=apps[1])

    seen: list[memory_service_pb2.ListScopesResponse.ScopeSummary] = []
    token = ""
    while True:
        page = await client.memory.ListScopes(
            memory_service_pb2.ListScopesRequest(kind=APP, page_size=2, page_token=token),
            metadata=client.metadata,
        )
        seen += page.scopes
        token = page.next_page_token
        if not token:
            break

    ours = [scope for scope in seen if scope.id.startswith(user)]
    assert [(scope.id, scope.memory_count) for scope in ours] == [
        (apps[0], 1),
        (apps[1], 2),
        (apps[2], 1),
    ]
    assert {scope.kind for scope in ours} == {APP}
    newest = max(memory.update_time.ToDatetime() for memory in await listed(client, user))
    assert ours[1].last_activity_time.ToDatetime() == newest
