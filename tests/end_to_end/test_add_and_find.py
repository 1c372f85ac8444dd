"""Adding, finding, reading and deleting over the wire, against real databases."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import grpc
import pytest
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from server.api.grpc.convert.values import to_struct
from tests.support.api import add, listed, user_says
from tests.support.server import Client

ADD = memory_pb2.MemoryEvent.ADD


async def test_verbatim_messages_become_memories(client: Client, user: str) -> None:
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        run_id="r1",
        infer=False,
        messages=[
            memory_pb2.Message(role="system", content="You are kind."),
            memory_pb2.Message(role="user", content="Where is my bike?", name="Alice"),
            memory_pb2.Message(role="assistant", content="In the\0 cellar."),
            memory_pb2.Message(role="user"),
        ],
        metadata=to_struct({"channel": "chat", "turn": 3}),
    )
    response = await client.memory.AddMemories(request, metadata=client.metadata)

    assert [(r.data.memory, r.event, r.version) for r in response.results] == [
        ("Where is my bike?", ADD, 1),
        ("In the cellar.", ADD, 1),
    ]
    memories = {memory.id: memory for memory in await listed(client, user)}
    assert set(memories) == {result.id for result in response.results}
    first = memories[response.results[0].id]
    assert (first.role, first.name, first.run_id, first.inferred) == ("user", "Alice", "r1", False)
    assert dict(first.metadata) == {"channel": "chat", "turn": 3}
    assert list(first.categories) == []


async def test_an_exact_duplicate_adds_nothing(client: Client, user: str) -> None:
    await add(client, user, "I drink tea.", infer=False)
    again = await add(client, user, "I drink tea.", infer=False)
    assert list(again.results) == []
    assert len(await listed(client, user)) == 1


async def test_inferred_facts_are_found_by_meaning_and_related(client: Client, user: str) -> None:
    response = await add(
        client,
        user,
        "Hi there! I moved to Lisbon last month. I work at Acme. What time is it?",
        output_format="v1.1",
    )
    assert response.models_used.language_model.startswith("offline/")
    texts = [result.data.memory for result in response.results]
    assert len(texts) == 2
    assert "Lisbon" in texts[0]
    assert "Acme" in texts[1]
    assert {(r.relation, r.target) for r in response.relations} == {
        ("lives_in", "Lisbon"),
        ("works_at", "Acme"),
    }

    found = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(
            user_id=user,
            query="Which company employs them?",
            top_k=1,
            explain=True,
            sources=[memory_service_pb2.SEARCH_SOURCE_MEMORIES],
        ),
        metadata=client.metadata,
    )
    [hit] = found.results
    assert hit.memory.text == texts[1]
    assert [arm.arm for arm in hit.arms] == ["dense"]
    assert hit.arms[0].rank == 1
    assert hit.arms[0].score == pytest.approx(hit.score)

    related = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(
            user_id=user, consistency_token=response.consistency_token
        ),
        metadata=client.metadata,
    )
    assert {(r.relation, r.target) for r in related.relations} == {
        ("lives_in", "Lisbon"),
        ("works_at", "Acme"),
    }
    assert {r.memory_id for r in related.relations} == {r.id for r in response.results}


async def test_verbatim_messages_are_found_by_their_words_and_their_context(
    client: Client, user: str
) -> None:
    said = ["Which codec did the team choose?", "It was FLAC-2718 in the end.", "Good, thank you."]
    await add(client, user, *said, infer=False)
    await add(client, user, *(f"Today's note is number {n}." for n in range(20)), infer=False)
    found = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(
            user_id=user, query="FLAC-2718", top_k=3, explain=True
        ),
        metadata=client.metadata,
    )
    assert found.results[0].memory.text == said[1]
    lexical = {
        result.memory.text: arm.rank
        for result in found.results
        for arm in result.arms
        if arm.arm == "lexical"
    }
    assert lexical[said[1]] == 1
    assert set(lexical) <= set(said)


async def test_an_inferred_memory_can_be_traced(client: Client, user: str) -> None:
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user, messages=user_says("Good evening. I play the cello."), timestamp=1_700_000_000
    )
    call = client.memory.AddMemories(
        request, metadata=(*client.metadata, ("x-correlation-id", f"trace-{user}"))
    )
    response = await call
    trailers = dict(await call.trailing_metadata())
    assert trailers["x-correlation-id"] == f"trace-{user}"
    [memory] = await listed(client, user)
    assert memory.id == response.results[0].id
    provenance = memory.provenance
    assert provenance.correlation_id == f"trace-{user}"
    assert provenance.language_model == response.models_used.language_model
    assert [evidence.quote for evidence in provenance.evidence] == ["I play the cello."]
    assert memory.event_time.seconds == 1_700_000_000


async def test_relations_are_only_returned_on_v1_1(client: Client, user: str) -> None:
    call = client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(user_id=user, messages=user_says("I work at Acme.")),
        metadata=client.metadata,
    )
    assert list((await call).relations) == []
    assert "memoir-deprecation" in dict(await call.trailing_metadata())


async def test_a_request_id_has_one_effect(client: Client, user: str) -> None:
    request_id = str(uuid4())
    answers = await asyncio.gather(
        *(add(client, user, "I play the cello.", request_id=request_id) for _ in range(5))
    )
    assert len(await listed(client, user)) == 1
    assert {tuple(r.id for r in answer.results) for answer in answers} == {
        (answers[0].results[0].id,)
    }
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await add(client, user, "I play the harp.", request_id=request_id)
    assert caught.value.code() is grpc.StatusCode.ALREADY_EXISTS
    assert len(await listed(client, user)) == 1


async def test_pages_hold_every_memory_once(client: Client, user: str) -> None:
    for n in range(5):
        await add(client, user, f"memory {n}", infer=False)
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page = await client.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(user_id=user, page_size=2, page_token=token),
            metadata=client.metadata,
        )
        seen += [memory.text for memory in page.memories]
        token = page.next_page_token
    assert token == ""
    assert seen == [f"memory {n}" for n in reversed(range(5))]


async def test_a_page_token_belongs_to_one_request(client: Client, user: str) -> None:
    await add(client, user, "one", "two", infer=False)
    page = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id=user, page_size=1), metadata=client.metadata
    )
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await listed(client, "somebody else", page_token=page.next_page_token)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


async def test_a_deleted_memory_is_gone_from_every_read(client: Client, user: str) -> None:
    added = await add(client, user, "I work at Acme.")
    memory_id = added.results[0].id
    [memory] = await listed(client, user)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(id=memory_id, etag="stale"),
            metadata=client.metadata,
        )
    assert caught.value.code() is grpc.StatusCode.ABORTED

    deleted = await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=memory_id, etag=memory.etag),
        metadata=client.metadata,
    )

    assert await listed(client, user, show_expired=True) == []
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.GetMemory(
            memory_service_pb2.GetMemoryRequest(id=memory_id), metadata=client.metadata
        )
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    related = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(
            user_id=user, consistency_token=deleted.consistency_token
        ),
        metadata=client.metadata,
    )
    assert list(related.relations) == []


async def test_immutable_and_expiring_memories_are_marked(client: Client, user: str) -> None:
    await add(client, user, "I play the cello.", immutable=True, expiration_date="2999-12-31")
    [memory] = await listed(client, user)
    assert memory.immutable
    assert memory.expiration_date == "2999-12-31"


async def test_what_became_no_memory_is_found_as_a_passage(client: Client, user: str) -> None:
    response = await add(
        client, user, "I live in Lisbon. The ferry to the other side was late again!"
    )
    [result] = response.results

    async def search(*sources: memory_service_pb2.SearchSource.ValueType) -> list[str]:
        found = await client.memory.SearchMemories(
            memory_service_pb2.SearchMemoriesRequest(
                user_id=user, query="Was the ferry late in Lisbon?", sources=sources
            ),
            metadata=client.metadata,
        )
        return sorted(hit.passage.text or hit.memory.text for hit in found.results)

    passage = "The ferry to the other side was late again!"
    assert await search() == sorted([passage, result.data.memory])
    assert await search(memory_service_pb2.SEARCH_SOURCE_MEMORIES) == [result.data.memory]
    assert await search(memory_service_pb2.SEARCH_SOURCE_PASSAGES) == [passage]
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=result.id), metadata=client.metadata
    )
    assert await search() == [passage]
