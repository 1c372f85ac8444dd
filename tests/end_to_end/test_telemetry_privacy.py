"""No log line, span or metric contains conversations or secrets."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence

import grpc
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from server.api.grpc.convert.values import to_struct
from tests.support import gemini_faults
from tests.support.api import update, update_of
from tests.support.gemini_server import API_KEY
from tests.support.processes import eventually
from tests.support.server import Client
from tests.support.traced_server import Traced

PATIENCE_SECONDS = 30.0
WORDS = (
    "Zanzibrook",
    "Quellmore",
    "Veltracorp",
    "Ostrimund",
    "Hexanella",
    "Brimwyck",
    "Dolphinium",
    "Karvonite",
    "Wexilant",
    "Mirrowgate",
)
"""Each in another place of a request or an answer."""


async def test_texts_and_secrets_stay_out_of_logs_spans_and_metrics(traced: Traced) -> None:
    await use_everything(traced)

    async def is_projected() -> bool:
        return bool(traced.collector.named("settle"))

    await eventually(is_projected, PATIENCE_SECONDS, "the projection")
    await traced.server.stop()
    sent = "".join(str(request) for request in traced.collector.requests)
    measured = "".join(str(request) for request in traced.collector.metrics.requests)
    # All of them were searched.
    assert "record_calls" in sent
    assert "memoir.search_candidates" in measured
    assert "inference.planned" in traced.server.log
    secrets = (API_KEY, traced.client.key, traced.server.environment["MEMOIR_NEO4J_PASSWORD"])
    assert leaks(traced.server.log, [*WORDS, *secrets]) == []
    assert leaks(sent, [*WORDS, *secrets]) == []
    assert leaks(measured, [*WORDS, *secrets]) == []


def leaks(text: str, words: Sequence[str]) -> list[str]:
    lowered = text.lower()
    return [word for word in words if word.lower() in lowered]


async def use_everything(traced: Traced) -> None:
    client, gemini = traced.client, traced.gemini
    added = await add(client, f"I live in {WORDS[0]}.", metadata=to_struct({"note": WORDS[1]}))
    await add(client, f"I work at {WORDS[2]}.", infer=False, custom_instructions=WORDS[3])
    await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(
            user_id="alice",
            query=f"Who is {WORDS[4]}?",
            filters=to_struct({"metadata.note": WORDS[5]}),
        ),
        metadata=client.metadata,
    )
    await update(client, update_of(added.results[0].id, ["text"], text=f"Alice left {WORDS[6]}"))
    gemini.answer(f"{WORDS[7]} is no JSON")
    gemini.answer(f"{WORDS[7]} is no JSON")
    await refused(add(client, "I like tea."))
    gemini.fail("generateContent", gemini_faults.status(400, "INVALID_ARGUMENT", message=WORDS[8]))
    await refused(add(client, "I like coffee."))
    await refused(add(client, "I like milk.", output_format=WORDS[9], user_id=""))
    await refused(
        client.graph.GetEntity(
            graph_service_pb2.GetEntityRequest(user_id="alice", name=WORDS[9]),
            metadata=client.metadata,
        )
    )


async def add(
    client: Client, text: str, user_id: str = "alice", **fields: object
) -> memory_service_pb2.AddMemoriesResponse:
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user_id,
        messages=[memory_pb2.Message(role="user", content=text)],
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )
    return await client.memory.AddMemories(request, metadata=client.metadata)


async def refused(call: Awaitable[object]) -> None:
    try:
        await call
    except grpc.aio.AioRpcError:
        return
    raise AssertionError("the call was meant to be refused")
