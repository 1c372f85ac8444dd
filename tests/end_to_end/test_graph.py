"""Reading the graph over the wire, against real databases."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from tests.support.errors import details_of
from tests.support.server import Client

STORY = (
    "My sister Maria works at Globex and lives in Porto.",
    "I have a younger brother named Tom who lives in Rome.",
)


async def add_messages(
    client: Client, user: str, *texts: str, run_id: str | None = None
) -> memory_service_pb2.AddMemoriesResponse:
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        run_id=run_id,
        messages=[memory_pb2.Message(role="user", content=text) for text in texts],
    )
    return await client.memory.AddMemories(request, metadata=client.metadata)


async def entity(
    client: Client,
    user: str,
    name: str,
    depth: int = 1,
    token: str | None = None,
    as_of: Timestamp | None = None,
) -> graph_service_pb2.GetEntityResponse:
    request = graph_service_pb2.GetEntityRequest(
        user_id=user, name=name, depth=depth, consistency_token=token, as_of=as_of
    )
    return await client.graph.GetEntity(request, metadata=client.metadata)


async def test_an_entity_comes_with_its_neighbourhood(client: Client, user: str) -> None:
    added = await add_messages(client, user, *STORY)
    near = await entity(client, user, "GLOBEX", token=added.consistency_token)
    assert (near.entity.name, near.entity.space) == ("Globex", f"user:{user}")
    assert near.entity.memory_count == 1
    assert [neighbor.name for neighbor in near.neighbors] == ["Maria"]
    [works] = near.relations
    assert (works.source, works.relation, works.target) == ("Maria", "works_at", "Globex")
    assert works.memory_id in {result.id for result in added.results}
    assert works.valid_from == works.event_time
    assert not near.truncated

    far = await entity(client, user, "Globex", depth=3)
    assert far.neighbors[0].name == "Maria"
    assert {n.name for n in far.neighbors} >= {"Maria", "Porto", "Tom"}
    assert "Rome" not in {n.name for n in far.neighbors}


async def test_an_unknown_entity_is_not_found(client: Client, user: str) -> None:
    await add_messages(client, user, *STORY)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await entity(client, user, "Nobody")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    info = details_of(caught.value)
    assert info.reason == "ENTITY_NOT_FOUND"
    assert info.metadata["entity"] == "Nobody"


async def test_entities_of_a_deleted_memory_are_gone_from_every_read(
    client: Client, user: str
) -> None:
    added = await add_messages(client, user, *STORY)
    await entity(client, user, "Globex", token=added.consistency_token)
    await forget_maria(client, added)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await entity(client, user, "Globex")
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    assert "Globex" not in await names(client, user)
    tom = await entity(client, user, "Tom", depth=3)
    assert {n.name for n in tom.neighbors} & {"Maria", "Globex", "Porto"} == set()


async def forget_maria(client: Client, added: memory_service_pb2.AddMemoriesResponse) -> None:
    """Deletes the two facts about Maria."""
    maria = [result.id for result in added.results if "Maria" in result.data.memory]
    assert len(maria) == 2
    for memory_id in maria:
        await client.memory.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(id=memory_id), metadata=client.metadata
        )


async def names(client: Client, user: str, query: str | None = None) -> list[str]:
    found, token = [], ""
    while True:
        page = await client.graph.ListEntities(
            graph_service_pb2.ListEntitiesRequest(
                user_id=user, query=query, page_size=2, page_token=token
            ),
            metadata=client.metadata,
        )
        found += [each.name for each in page.entities]
        token = page.next_page_token
        if not token:
            return found


async def test_entities_are_listed_and_found(client: Client, user: str) -> None:
    added = await add_messages(client, user, *STORY)
    await entity(client, user, "Tom", token=added.consistency_token)
    listed = await names(client, user)
    assert {"Globex", "Maria", "Porto", "Rome", "Tom"} <= set(listed)
    assert len(listed) == len(set(listed))
    assert await names(client, user, "glo") == ["Globex"]
    assert await names(client, user, "Globbex") == ["Globex"]
    assert await names(client, user, '"* OR ~') == []
    assert await names(client, f"other-{uuid4()}") == []


async def test_paths_are_found_shortest_first(client: Client, user: str) -> None:
    added = await add_messages(client, user, *STORY, "Anna is my sister.", "Maria knows Tom.")
    request = graph_service_pb2.FindPathsRequest(
        user_id=user,
        source="Porto",
        target="Rome",
        max_length=6,
        consistency_token=added.consistency_token,
    )
    response = await client.graph.FindPaths(request, metadata=client.metadata)
    assert response.paths
    lengths = [len(path.relations) for path in response.paths]
    assert lengths == sorted(lengths)
    first = response.paths[0].relations
    assert {first[0].source, first[0].target} == {"Maria", "Porto"}
    assert {first[-1].source, first[-1].target} == {"Tom", "Rome"}
    too_short = graph_service_pb2.FindPathsRequest(
        user_id=user, source="Porto", target="Rome", max_length=2
    )
    nothing = await client.graph.FindPaths(too_short, metadata=client.metadata)
    assert list(nothing.paths) == []


async def test_superseded_relations_are_shown_on_request(client: Client, user: str) -> None:
    await add_messages(client, user, "I live in Lisbon.", run_id="first")
    added = await add_messages(client, user, "I live in Porto.", run_id="second")
    request = graph_service_pb2.ListRelationsRequest(
        user_id=user, relation="lives_in", consistency_token=added.consistency_token
    )
    now = await client.graph.ListRelations(request, metadata=client.metadata)
    assert [r.target for r in now.relations] == ["Porto"]
    assert not now.relations[0].HasField("superseded_at")
    request.include_superseded = True
    ever = await client.graph.ListRelations(request, metadata=client.metadata)
    assert [r.target for r in ever.relations] == ["Porto", "Lisbon"]
    assert ever.relations[1].superseded_at == ever.relations[0].valid_from


async def test_a_search_follows_relations(client: Client, user: str) -> None:
    added = await add_messages(client, user, *STORY)
    for number in range(12):
        await add_messages(client, user, f"I like hobby number {number}.")
    request = memory_service_pb2.SearchMemoriesRequest(
        user_id=user,
        query="Globex",
        explain=True,
        include_relations=True,
        consistency_token=added.consistency_token,
    )
    found = await client.memory.SearchMemories(request, metadata=client.metadata)
    assert list(found.degraded) == []
    [graph] = [arm for arm in found.results[0].arms if arm.arm == "graph"]
    assert 0 < graph.score <= 1
    assert ("Maria", "works_at", "Globex") in {
        (r.source, r.relation, r.target) for r in found.relations
    }


async def test_relations_are_read_as_they_were(client: Client, user: str) -> None:
    await add_messages(client, user, "I live in Lisbon.", run_id="first")
    memory = await newest(client, user)
    added = await add_messages(client, user, "I live in Porto.", run_id="second")
    request = graph_service_pb2.ListRelationsRequest(
        user_id=user, as_of=memory.update_time, consistency_token=added.consistency_token
    )
    then = await client.graph.ListRelations(request, metadata=client.metadata)
    assert [r.target for r in then.relations] == ["Lisbon"]
    assert not then.relations[0].HasField("superseded_at")
    request.ClearField("as_of")
    now = await client.graph.ListRelations(request, metadata=client.metadata)
    assert [r.target for r in now.relations] == ["Porto"]


async def newest(client: Client, user: str) -> memory_pb2.Memory:
    listed = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id=user, page_size=1), metadata=client.metadata
    )
    return listed.memories[0]


async def test_an_entity_is_read_as_it_was(client: Client, user: str) -> None:
    added = await add_messages(client, user, *STORY)
    then = (await newest(client, user)).update_time
    now = await entity(client, user, "Porto", depth=3, token=added.consistency_token)
    assert await entity(client, user, "porto", depth=3, as_of=then) == now

    await forget_maria(client, added)
    assert await entity(client, user, "Porto", depth=3, as_of=then) == now
    before = Timestamp(seconds=then.seconds - 1)
    for as_of in (None, before):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await entity(client, user, "Porto", as_of=as_of)
        assert details_of(caught.value).reason == "ENTITY_NOT_FOUND"
