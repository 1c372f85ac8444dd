"""Searches whose hits are reranked by a language model."""

from __future__ import annotations

import pytest
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support import gemini_faults
from tests.support.gemini_faults import Fault
from tests.support.gemini_server import GeminiServer
from tests.support.server import Client

TEXTS = ["Ada plays the cello.", "Ada was in Oslo in May.", "Ada likes tea."]


async def search(
    client: Client, user: str, *, timeout: float = 30.0, **fields: object
) -> memory_service_pb2.SearchMemoriesResponse:
    request = memory_service_pb2.SearchMemoriesRequest(
        user_id=user,
        query="What does Ada play?",
        explain=True,
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )
    return await client.memory.SearchMemories(request, metadata=client.metadata, timeout=timeout)


async def add_messages(client: Client, user: str) -> None:
    await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id=user,
            infer=False,
            messages=[memory_pb2.Message(role="user", content=content) for content in TEXTS],
        ),
        metadata=client.metadata,
    )


def texts(response: memory_service_pb2.SearchMemoriesResponse) -> list[str]:
    return [result.memory.text for result in response.results]


async def test_the_model_orders_the_hits_in_one_call(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    await add_messages(client, "alice")
    plain = await search(client, "alice")
    assert endpoint.calls("generateContent") == []
    assert plain.models_used.language_model == ""

    backwards = [(number, 10 * number) for number in range(1, len(TEXTS) + 1)]
    endpoint.answer({"scores": [{"number": n, "score": score} for n, score in backwards]})
    reranked = await search(client, "alice", rerank=True)

    assert texts(reranked) == texts(plain)[::-1]
    assert len(endpoint.calls("generateContent")) == 1
    assert reranked.models_used.language_model.startswith("gemini/")
    assert list(reranked.degraded) == []
    last = {arm.arm: (arm.rank, arm.score) for arm in reranked.results[0].arms}
    assert last["rerank"] == (1, 0.3)
    assert {result.memory.id: result.score for result in reranked.results} == {
        result.memory.id: result.score for result in plain.results
    }


async def test_reranking_raises_a_hit_from_below_top_k(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    await add_messages(client, "alice")
    *_, last = texts(await search(client, "alice"))
    scores = [
        {"number": n, "score": 90 if n == len(TEXTS) else 0} for n in range(1, len(TEXTS) + 1)
    ]
    endpoint.answer({"scores": scores})

    assert texts(await search(client, "alice", rerank=True, top_k=1)) == [last]


@pytest.mark.parametrize(
    ("fault", "timeout", "reason"),
    [
        (gemini_faults.truncated_json, 30.0, "the language model is unavailable"),
        (gemini_faults.quota(3600), 30.0, "the quota of the language model is used up"),
        (gemini_faults.max_tokens, 30.0, "the language model's answer could not be used"),
        (gemini_faults.hang, 2.0, "the language model did not answer in time"),
    ],
    ids=["half a body", "429", "truncated", "hang"],
)
async def test_a_model_at_fault_costs_no_hit(
    on_own_gemini: GeminiServer, fault: Fault, timeout: float, reason: str
) -> None:
    client, endpoint = on_own_gemini.client, on_own_gemini.endpoint
    await add_messages(client, "alice")
    plain = await search(client, "alice")
    endpoint.fail("generateContent", fault, times=100)

    found = await search(client, "alice", rerank=True, timeout=timeout)

    assert list(found.results) == list(plain.results)
    [degraded] = found.degraded
    assert degraded.arm == "rerank"
    assert degraded.reason.startswith(reason)
    assert found.models_used.language_model == ""


async def test_without_a_model_the_order_stays_and_the_response_says_so(
    client: Client, user: str
) -> None:
    await add_messages(client, user)
    plain = await search(client, user)
    found = await search(client, user, rerank=True)
    assert texts(found) == texts(plain)
    assert [(part.arm, part.reason) for part in found.degraded] == [
        ("rerank", "the offline models do not rerank")
    ]
