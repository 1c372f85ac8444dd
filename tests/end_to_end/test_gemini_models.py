"""The server with the Gemini models, at an endpoint that speaks the Gemini API."""

from __future__ import annotations

import asyncio

import grpc
import pytest
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support import gemini_brain, gemini_faults
from tests.support.errors import details_of
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import API_KEY, GeminiServer
from tests.support.server import Client, Home


def request(text: str, **fields: object) -> memory_service_pb2.AddMemoriesRequest:
    return memory_service_pb2.AddMemoriesRequest(
        messages=[memory_pb2.Message(role="user", content=text)],
        **{"user_id": "alice", **fields},  # type: ignore[arg-type] # the fields' types differ
    )


async def listed(client: Client) -> list[str]:
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id="alice"), metadata=client.metadata
    )
    return [memory.text for memory in response.memories]


async def test_an_add_costs_one_inference_and_two_embedding_batches(
    on_gemini: GeminiServer,
) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    response = await client.memory.AddMemories(
        request("I live in Lisbon. I work at Acme."),
        metadata=(*client.metadata, ("x-correlation-id", "follow-me")),
    )
    assert len(response.results) == 2
    assert response.models_used.language_model.startswith("gemini/")
    assert len(endpoint.calls("generateContent")) == 1
    assert len(endpoint.calls("batchEmbedContents")) == 2
    assert {r.headers["x-correlation-id"] for r in endpoint.requests} == {"follow-me"}

    found = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(user_id="alice", query="live in Lisbon", top_k=1),
        metadata=client.metadata,
    )
    assert "Lisbon" in found.results[0].memory.text
    assert len(endpoint.calls("batchEmbedContents")) == 3


async def test_concurrent_adds_share_their_embedding_requests(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    everybody = [f"user-{number}" for number in range(24)]

    async def add(user: str) -> None:
        response = await client.memory.AddMemories(
            request("I live in Lisbon. I work at Acme.", user_id=user),
            metadata=(*client.metadata, ("x-correlation-id", user)),
        )
        assert len(response.results) == 2

    await asyncio.gather(*map(add, everybody))
    embedded = endpoint.calls("batchEmbedContents")
    assert len(endpoint.calls("generateContent")) == len(everybody)
    # The message, its two sentences, and the two facts.
    assert sum(len(r.body["requests"]) for r in embedded) == 5 * len(everybody)
    # Each add takes part in two requests, but there are fewer than two for each add.
    asked = [name for r in embedded for name in r.headers["x-correlation-id"].split(",")]
    assert sorted(asked) == sorted(everybody * 2)
    assert len(embedded) < 2 * len(everybody)


async def test_an_unusable_answer_is_an_error_and_nothing_is_stored(
    on_gemini: GeminiServer,
) -> None:
    on_gemini.endpoint.fail("generateContent", gemini_faults.max_tokens)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await on_gemini.client.memory.AddMemories(
            request("I live in Lisbon."), metadata=on_gemini.client.metadata
        )
    error = details_of(caught.value)
    assert (error.reason, error.metadata["cause"]) == ("EXTRACTION_FAILED", "truncated")
    assert await listed(on_gemini.client) == []


async def test_an_unusable_answer_is_repaired_once(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    endpoint.answer("Sure! Here is what I found.")
    response = await client.memory.AddMemories(
        request("I live in Lisbon."), metadata=client.metadata
    )
    assert [result.data.memory for result in response.results] == ["User lives in Lisbon"]
    first, second = (gemini_brain.conversation(r.body) for r in endpoint.calls("generateContent"))
    assert second.pop("problems") == ["answer: json_invalid"]
    assert second == first

    for said in ("Sure!", "Sure!"):
        endpoint.answer(said)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.AddMemories(request("I work at Acme."), metadata=client.metadata)
    error = details_of(caught.value)
    assert (error.reason, error.metadata["cause"]) == ("EXTRACTION_FAILED", "malformed")
    assert len(endpoint.calls("generateContent")) == 4
    assert await listed(client) == ["User lives in Lisbon"]


async def test_an_exhausted_quota_is_reported_with_its_delay(on_own_gemini: GeminiServer) -> None:
    on_own_gemini.endpoint.fail("batchEmbedContents", gemini_faults.quota(3600), times=100)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await on_own_gemini.client.memory.AddMemories(
            request("I live in Lisbon.", infer=False), metadata=on_own_gemini.client.metadata
        )
    error = details_of(caught.value)
    assert error.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert error.retry_after is not None
    assert error.retry_after.total_seconds() == 3600
    assert await listed(on_own_gemini.client) == []


async def test_a_hanging_model_ends_with_the_deadline(on_own_gemini: GeminiServer) -> None:
    on_own_gemini.endpoint.fail("generateContent", gemini_faults.hang, times=100)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await on_own_gemini.client.memory.AddMemories(
            request("I live in Lisbon."), metadata=on_own_gemini.client.metadata, timeout=1.0
        )
    assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert await listed(on_own_gemini.client) == []


async def test_a_store_of_another_embedder_is_not_ready(home: Home, gemini: GeminiEndpoint) -> None:
    first = home.server()
    await first.start()
    await first.stop()
    second = home.server(
        MEMOIR_MODELS="gemini", GEMINI_API_KEY=API_KEY, MEMOIR_GEMINI_BASE_URL=gemini.base_url
    )
    with pytest.raises(AssertionError, match="did not start"):
        await second.start()
    assert "offline/wordllama-256" in second.log
    assert await second.wait() == 1
