"""A memory whose expiration date has passed is hidden from every read, over the wire."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import asyncpg
import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import graph_service_pb2, memory_service_pb2

from tests.support.api import add, events, listed
from tests.support.errors import details_of
from tests.support.server import Client, Home

YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date()


async def expire(home: Home, memory_id: str) -> None:
    """Sets a date in the past, in the history too, because the service accepts no such date."""
    connection = await asyncpg.connect(home.postgres_dsn)
    try:
        await connection.execute(
            "UPDATE memories SET expiration_date = $2 WHERE memory_id = $1", memory_id, YESTERDAY
        )
        await connection.execute(
            "UPDATE memory_events SET state = jsonb_set(state, '{expiration_date}', "
            "to_jsonb($2::date::text)) WHERE memory_id = $1",
            memory_id,
            YESTERDAY,
        )
    finally:
        await connection.close()


@pytest.fixture
async def expired(client: Client, user: str, shared_home: Home) -> str:
    """The id of an expired memory, which the graph holds too, beside one that has not expired."""
    response = await add(client, user, "I work at Acme.", expiration_date="2999-12-31")
    later = await add(client, user, "I play the cello.", expiration_date="2999-12-31")
    request = graph_service_pb2.ListRelationsRequest(
        user_id=user, consistency_token=later.consistency_token
    )
    known = await client.graph.ListRelations(request, metadata=client.metadata)
    assert [relation.target for relation in known.relations] == ["cello", "Acme"]
    await expire(shared_home, response.results[0].id)
    return response.results[0].id


def texts(response: memory_service_pb2.SearchMemoriesResponse) -> list[str]:
    return [result.memory.text for result in response.results]


async def search(
    client: Client, user: str, **fields: object
) -> memory_service_pb2.SearchMemoriesResponse:
    request = memory_service_pb2.SearchMemoriesRequest(
        user_id=user,
        query="Who works at Acme?",
        include_relations=True,
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )
    return await client.memory.SearchMemories(request, metadata=client.metadata)


async def test_it_is_returned_only_on_request(client: Client, expired: str) -> None:
    hidden = memory_service_pb2.GetMemoryRequest(id=expired)
    as_of_now = memory_service_pb2.GetMemoryRequest(id=expired, as_of=Timestamp())
    as_of_now.as_of.GetCurrentTime()
    for request in (hidden, as_of_now):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.memory.GetMemory(request, metadata=client.metadata)
        assert details_of(caught.value).reason == "MEMORY_NOT_FOUND"

    shown = memory_service_pb2.GetMemoryRequest(id=expired, show_expired=True)
    found = await client.memory.GetMemory(shown, metadata=client.metadata)
    assert found.memory.expiration_date == f"{YESTERDAY}"


async def test_it_is_listed_and_found_only_on_request(
    client: Client, user: str, expired: str
) -> None:
    [other] = await listed(client, user)
    assert other.id != expired
    found = await search(client, user)
    assert texts(found) == [other.text]
    assert {relation.memory_id for relation in found.relations} == {other.id}

    assert {memory.id for memory in await listed(client, user, show_expired=True)} == {
        other.id,
        expired,
    }
    shown = await search(client, user, show_expired=True, top_k=1)
    assert [result.memory.id for result in shown.results] == [expired]


async def test_in_the_past_expiry_depends_on_the_day_of_that_time(
    client: Client, user: str, expired: str
) -> None:
    instant = Timestamp()
    instant.GetCurrentTime()
    assert expired not in {memory.id for memory in await listed(client, user, as_of=instant)}
    assert expired not in {
        result.memory.id for result in (await search(client, user, as_of=instant)).results
    }
    shown = await listed(client, user, as_of=instant, show_expired=True)
    assert expired in {memory.id for memory in shown}


async def test_an_expired_memory_is_not_in_the_graph(
    client: Client, user: str, expired: str
) -> None:
    relations = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(user_id=user), metadata=client.metadata
    )
    assert [relation.target for relation in relations.relations] == ["cello"]
    entities = await client.graph.ListEntities(
        graph_service_pb2.ListEntitiesRequest(user_id=user), metadata=client.metadata
    )
    assert "Acme" not in {entity.name for entity in entities.entities}
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.graph.GetEntity(
            graph_service_pb2.GetEntityRequest(user_id=user, name="Acme"), metadata=client.metadata
        )
    assert details_of(caught.value).reason == "ENTITY_NOT_FOUND"


async def test_scopes_do_not_count_it_and_its_history_stays(
    client: Client, user: str, expired: str
) -> None:
    scopes = await client.memory.ListScopes(
        memory_service_pb2.ListScopesRequest(page_size=1000), metadata=client.metadata
    )
    assert [scope.memory_count for scope in scopes.scopes if scope.id == user] == [1]
    assert [event.type for event in (await events(client, expired)).events] == [1]


async def test_it_cannot_be_updated_and_can_be_deleted(client: Client, expired: str) -> None:
    change = memory_service_pb2.UpdateMemoryRequest(id=expired)
    change.update_mask.paths.append("text")
    change.changes.text = "Works at Globex."
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.UpdateMemory(change, metadata=client.metadata)
    assert details_of(caught.value).reason == "MEMORY_NOT_FOUND"

    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=expired), metadata=client.metadata
    )
    assert len((await events(client, expired)).events) == 2


async def test_the_same_fact_can_be_learned_again(client: Client, user: str, expired: str) -> None:
    response = await add(client, user, "I work at Acme.")
    [result] = response.results
    assert result.id != expired
    assert result.data.memory in {memory.text for memory in await listed(client, user)}
