"""Erasing over the wire: none of the text is left in PostgreSQL or in Neo4j."""

from __future__ import annotations

from collections.abc import AsyncIterator
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2
from neo4j import AsyncDriver

from server.api.grpc.convert.values import to_struct
from server.storage.postgres.pool import Database
from tests.support.api import add, listed
from tests.support.dump import tables_with
from tests.support.errors import details_of
from tests.support.outbox import outbox_empties
from tests.support.postgres import opened
from tests.support.server import Client, Home

ERASE = memory_service_pb2.ERASURE_MODE_ERASE
SETTLE_SECONDS = 60.0


@pytest.fixture
def canary() -> str:
    """A name that occurs nowhere else."""
    return f"Kestrel{uuid4().hex[:12]}"


@pytest_asyncio.fixture
async def shared_database(shared_home: Home) -> AsyncIterator[Database]:
    """The database of the shared server."""
    async with opened(shared_home.postgres_dsn, pool_size=1) as database:
        yield database


async def in_graph(driver: AsyncDriver, word: str) -> bool:
    """Whether a node or relationship of the graph has the word in one of its properties."""
    records, _, _ = await driver.execute_query(
        "MATCH (n) RETURN properties(n) AS p UNION ALL MATCH ()-[r]->() RETURN properties(r) AS p",
        database_="neo4j",
    )
    return any(word.lower() in str(record["p"]).lower() for record in records)


async def relations(client: Client, user: str, token: str) -> list[str]:
    request = graph_service_pb2.ListRelationsRequest(user_id=user, consistency_token=token)
    response = await client.graph.ListRelations(request, metadata=client.metadata)
    return [relation.target for relation in response.relations]


async def test_nothing_of_an_erased_memory_is_left_anywhere(
    client: Client,
    user: str,
    canary: str,
    shared_home: Home,
    shared_database: Database,
    neo4j_driver: AsyncDriver,
) -> None:
    added = await add(client, user, f"I work at {canary}.", request_id=str(uuid4()))
    await add(client, user, f"I work at {canary}.")
    await add(client, user, "I sing.", infer=False)
    await outbox_empties(shared_home.postgres_dsn, SETTLE_SECONDS)
    assert await relations(client, user, added.consistency_token) == [canary]
    assert await tables_with(shared_database, canary) >= {"memories", "memory_events", "messages"}
    assert await in_graph(neo4j_driver, canary)
    [result] = added.results
    request = memory_service_pb2.DeleteMemoryRequest(
        id=result.id, erasure_mode=ERASE, request_id=str(uuid4())
    )

    response = await client.memory.DeleteMemory(request, metadata=client.metadata)

    assert (response.receipt.memories, response.receipt.messages) == (1, 2)
    assert await client.memory.DeleteMemory(request, metadata=client.metadata) == response
    assert await relations(client, user, response.consistency_token) == []
    await outbox_empties(shared_home.postgres_dsn, SETTLE_SECONDS)
    assert await tables_with(shared_database, canary) == set()
    assert not await in_graph(neo4j_driver, canary)
    assert [memory.text for memory in await listed(client, user)] == ["I sing."]
    history = await client.memory.ListMemoryEvents(
        memory_service_pb2.ListMemoryEventsRequest(id=result.id), metadata=client.metadata
    )
    [event] = history.events
    assert event.type == memory_pb2.MemoryEvent.DELETE
    assert not event.HasField("before")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.RestoreMemory(
            memory_service_pb2.RestoreMemoryRequest(id=result.id, version=1),
            metadata=client.metadata,
        )
    assert details_of(caught.value).reason == "MEMORY_NOT_FOUND"


async def test_many_memories_are_erased_by_one_call_and_by_a_batch(
    client: Client, user: str, canary: str, shared_database: Database
) -> None:
    kept = await add(client, user, f"I sing of {canary}.", infer=False)
    await add(client, user, f"I swim at {canary}.", infer=False)
    request = memory_service_pb2.DeleteMemoriesRequest(
        user_id=user,
        filters=to_struct({"text": {"contains": "swim"}}),
        erasure_mode=ERASE,
        validate_only=True,
        request_id=str(uuid4()),
    )
    preview = await client.memory.DeleteMemories(request, metadata=client.metadata)
    assert preview.consistency_token == ""
    assert len(await listed(client, user)) == 2
    request.validate_only = False
    erased = await client.memory.DeleteMemories(request, metadata=client.metadata)
    assert erased.receipt == preview.receipt
    assert (erased.receipt.memories, erased.receipt.messages, erased.receipt.events) == (1, 1, 1)

    item = memory_service_pb2.DeleteMemoryRequest(id=kept.results[0].id, erasure_mode=ERASE)
    batch = memory_service_pb2.BatchDeleteMemoriesRequest(requests=[item, item])
    response = await client.memory.BatchDeleteMemories(batch, metadata=client.metadata)
    assert [result.receipt.events for result in response.results] == [1, 0]
    assert [result.HasField("error") for result in response.results] == [False, True]
    assert await tables_with(shared_database, canary) == set()


@pytest.mark.parametrize(
    ("fields", "violations"),
    [
        ({}, {"across_scopes"}),
        ({"across_scopes": False, "validate_only": True}, {"across_scopes"}),
    ],
)
async def test_a_filter_alone_reaches_across_scopes_only_on_request(
    client: Client, user: str, fields: dict[str, bool], violations: set[str]
) -> None:
    await add(client, user, "I sing.", infer=False)
    filters = to_struct({"user_id": user})
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteMemories(
            memory_service_pb2.DeleteMemoriesRequest(filters=filters, **fields),  # type: ignore[arg-type] # names fit
            metadata=client.metadata,
        )
    assert set(details_of(caught.value).violations) == violations
    assert len(await listed(client, user)) == 1


async def test_across_scopes_alone_empties_no_project(client: Client, user: str) -> None:
    await add(client, user, "I sing.", infer=False)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteMemories(
            memory_service_pb2.DeleteMemoriesRequest(across_scopes=True), metadata=client.metadata
        )
    assert set(details_of(caught.value).violations) == {"user_id"}
    assert len(await listed(client, user)) == 1


HARMFUL = [
    {"text": {"contains": ""}},
    {"text": {"contains": "\0"}},
    {"NOT": [{"create_time": {"gte": 1700000000}}]},
    {"create_time": {"ne": 1700000000}},
    {"NOT": [{"immutable": "true"}]},
]


@pytest.mark.parametrize("filters", HARMFUL, ids=str)
async def test_a_filter_that_matches_everything_by_mistake_is_refused(
    client: Client, user: str, filters: dict[str, object]
) -> None:
    await add(client, user, "I sing.", infer=False)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteMemories(
            memory_service_pb2.DeleteMemoriesRequest(
                filters=to_struct(filters),  # type: ignore[arg-type] # JSON
                across_scopes=True,
            ),
            metadata=client.metadata,
        )
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    [path] = details_of(caught.value).violations
    assert path.startswith("filters.")
    assert len(await listed(client, user)) == 1
