"""Updating and deleting memories over the wire."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import grpc
import pytest
from memoir.v1 import graph_service_pb2, memory_service_pb2

from server.api.grpc.convert.values import to_struct
from tests.support.api import listed, remembered, update, update_of
from tests.support.errors import ErrorDetails, details_of
from tests.support.server import Client


async def refusal(client: Client, request: memory_service_pb2.UpdateMemoryRequest) -> ErrorDetails:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await update(client, request)
    return details_of(caught.value)


async def test_a_text_is_changed_searched_and_leaves_the_graph(client: Client, user: str) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    response = await update(
        client, update_of(memory.id, ["text"], etag=memory.etag, text="Plays the cello\0 well")
    )
    changed = response.memory
    assert (changed.text, changed.version) == ("Plays the cello well", 2)
    assert changed.etag != memory.etag
    assert list(changed.categories) == list(memory.categories)
    assert await listed(client, user) == [changed]
    found = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(user_id=user, query="cello music"),
        metadata=client.metadata,
    )
    assert found.results[0].score > 0.3
    related = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(
            user_id=user, consistency_token=response.consistency_token
        ),
        metadata=client.metadata,
    )
    assert list(related.relations) == []


async def test_a_field_in_the_mask_without_a_value_is_cleared(client: Client, user: str) -> None:
    memory = await remembered(
        client, user, "I work at Acme.", expiration_date="2999-12-31", metadata=to_struct({"a": 1})
    )
    paths = ["metadata", "categories", "expiration_date"]
    changed = (
        await update(client, update_of(memory.id, paths, categories=["work", "work"]))
    ).memory
    assert (changed.text, list(changed.categories)) == (memory.text, ["work"])
    assert dict(changed.metadata) == {}
    assert not changed.HasField("expiration_date")
    assert changed.provenance.evidence == memory.provenance.evidence


async def test_an_impossible_update_is_refused_with_its_reason(client: Client, user: str) -> None:
    memory = await remembered(client, user, "I work at Acme.", infer=False)
    fixed = await remembered(client, user, "I play the cello.", infer=False, immutable=True)

    stale = await refusal(client, update_of(memory.id, ["text"], etag="stale", text="new"))
    assert (stale.code, stale.reason) == (grpc.StatusCode.ABORTED, "ETAG_MISMATCH")
    immutable = await refusal(client, update_of(fixed.id, ["categories"]))
    assert (immutable.code, immutable.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "MEMORY_IMMUTABLE",
    )
    equal = await refusal(client, update_of(memory.id, ["text"], text=fixed.text))
    assert (equal.code, equal.reason) == (grpc.StatusCode.ALREADY_EXISTS, "MEMORY_DUPLICATE")
    assert equal.metadata == {"id": memory.id}
    missing = await refusal(client, update_of(str(uuid4()), ["text"], text="new"))
    assert missing.reason == "MEMORY_NOT_FOUND"
    assert {m.version for m in await listed(client, user)} == {1}


@pytest.mark.parametrize("changes", [{}, {"text": "\0"}, {"text": " "}])
async def test_a_text_cannot_be_cleared(client: Client, changes: dict[str, str]) -> None:
    refused = await refusal(client, update_of(str(uuid4()), ["text"], **changes))
    assert refused.code is grpc.StatusCode.INVALID_ARGUMENT
    assert set(refused.violations) == {"changes.text"}


async def test_an_update_has_one_effect_for_a_request_id(client: Client, user: str) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    request = update_of(memory.id, ["text"], request_id=str(uuid4()), text="new", etag=memory.etag)
    answers = await asyncio.gather(*(update(client, request) for _ in range(5)))
    assert answers == [answers[0]] * 5
    assert [m.version for m in await listed(client, user)] == [2]
    request.changes.text = "other"
    assert (await refusal(client, request)).reason == "REQUEST_ID_REUSED"


async def test_a_deletion_has_one_answer_for_a_request_id(client: Client, user: str) -> None:
    memory = await remembered(client, user, "I work at Acme.")
    request = memory_service_pb2.DeleteMemoryRequest(id=memory.id, request_id=str(uuid4()))
    answers = await asyncio.gather(
        *(client.memory.DeleteMemory(request, metadata=client.metadata) for _ in range(5))
    )
    assert answers == [answers[0]] * 5
    assert await listed(client, user, show_expired=True) == []
