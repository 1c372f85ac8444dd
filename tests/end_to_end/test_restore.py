"""Restoring memories over the wire."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2, statistics_service_pb2

from tests.support.api import add, listed, remembered, update, update_of
from tests.support.errors import details_of
from tests.support.outbox import outbox_empties
from tests.support.server import Client, Home
from tests.support.watch import Watch, begin_of

EVENT = memory_pb2.MemoryEvent
SETTLE_SECONDS = 60.0


async def restore(
    client: Client, memory_id: str, version: int, **fields: str
) -> memory_service_pb2.RestoreMemoryResponse:
    return await client.memory.RestoreMemory(
        memory_service_pb2.RestoreMemoryRequest(id=memory_id, version=version, **fields),
        metadata=client.metadata,
    )


async def refusal(client: Client, memory_id: str, version: int, **fields: str) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await restore(client, memory_id, version, **fields)
    return details_of(caught.value).reason


async def targets(client: Client, user: str, token: str) -> list[str]:
    request = graph_service_pb2.ListRelationsRequest(user_id=user, consistency_token=token)
    response = await client.graph.ListRelations(request, metadata=client.metadata)
    return [relation.target for relation in response.relations]


async def delete(client: Client, memory_id: str) -> str:
    request = memory_service_pb2.DeleteMemoryRequest(id=memory_id)
    return (await client.memory.DeleteMemory(request, metadata=client.metadata)).consistency_token


async def test_a_deleted_memory_is_back_in_reads_searches_and_the_graph(
    client: Client, user: str, shared_home: Home
) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    # The first writes to a new Neo4j take longer than a read waits.
    await outbox_empties(shared_home.postgres_dsn, SETTLE_SECONDS)
    assert await targets(client, user, await delete(client, memory.id)) == []
    assert await refusal(client, memory.id, 2) == "INVALID_FIELDS"

    response = await restore(client, memory.id, 1)

    restored = response.memory
    assert (restored.text, restored.version) == (memory.text, 3)
    assert restored.create_time == memory.create_time
    assert restored.provenance.evidence == memory.provenance.evidence
    assert await listed(client, user) == [restored]
    assert await targets(client, user, response.consistency_token) == ["Acme"]
    found = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(user_id=user, query="Where do they work?"),
        metadata=client.metadata,
    )
    assert [hit.memory for hit in found.results] == [restored]
    history = await client.memory.ListMemoryEvents(
        memory_service_pb2.ListMemoryEventsRequest(id=memory.id), metadata=client.metadata
    )
    assert [(e.type, e.version) for e in history.events] == [
        (EVENT.ADD, 1),
        (EVENT.DELETE, 2),
        (EVENT.RESTORE, 3),
    ]
    assert history.events[2].after == restored
    assert not history.events[2].HasField("before")
    past = await listed(client, user, as_of=restored.update_time)
    assert past == [restored]


async def test_an_earlier_text_is_restored_and_seen_by_watchers_and_in_statistics(
    client: Client, user: str
) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    changed = (await update(client, update_of(memory.id, ["text"], text="I paint."))).memory
    cursor = await begin_of(client, user)
    before = (
        await client.statistics.GetStatistics(
            statistics_service_pb2.GetStatisticsRequest(), metadata=client.metadata
        )
    ).statistics.since_start.memories_restored
    assert await refusal(client, memory.id, 1, etag=memory.etag) == "ETAG_MISMATCH"
    response = await restore(client, memory.id, 1, etag=changed.etag)
    assert response.memory.text == memory.text
    watch = Watch(client, user_id=user, cursor=cursor)
    [seen] = await watch.next(1)
    watch.cancel()
    assert (seen.event.type, seen.event.version) == (EVENT.RESTORE, 3)
    assert (seen.event.before, seen.event.after) == (changed, response.memory)
    after = (
        await client.statistics.GetStatistics(
            statistics_service_pb2.GetStatisticsRequest(), metadata=client.metadata
        )
    ).statistics.since_start.memories_restored
    assert after - before >= 1


async def test_a_restoration_is_done_once_for_a_request_id(client: Client, user: str) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    await delete(client, memory.id)
    key = str(uuid4())
    first = await restore(client, memory.id, 1, request_id=key)
    await delete(client, memory.id)
    again = await restore(client, memory.id, 1, request_id=key)
    assert (again.memory.id, again.memory.version) == (memory.id, first.memory.version)
    assert await listed(client, user) == []
    assert await refusal(client, memory.id, 3, request_id=key) == "REQUEST_ID_REUSED"


async def test_what_cannot_be_restored_says_why(client: Client, user: str) -> None:
    assert await refusal(client, str(uuid4()), 1) == "MEMORY_NOT_FOUND"
    [added] = (await add(client, user, "I sing.", infer=False, immutable=True)).results
    assert await refusal(client, added.id, 9) == "MEMORY_NOT_FOUND"
    assert await refusal(client, added.id, 0) == "INVALID_FIELDS"
    assert await refusal(client, added.id, 1) == "MEMORY_IMMUTABLE"
    await delete(client, added.id)
    await add(client, user, "I sing.", infer=False)
    assert await refusal(client, added.id, 1) == "MEMORY_DUPLICATE"
