"""Successful calls and their traces: trailers, logs, spans, contexts."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog
from opentelemetry.trace import SpanKind, StatusCode, format_trace_id

from server.api.grpc.interceptors.access import current_caller
from server.core.request_context import current_request
from tests.integration.api.harness import (
    ADD,
    AUTHORIZED,
    COLLECT,
    ECHO,
    GENERATE,
    WRITE,
    AddResponse,
    Harness,
    add_request,
)

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = (("traceparent", f"00-{TRACE}-b7ad6b7169203331-01"),)


async def test_a_unary_answer_is_that_of_the_handler(harness: Harness) -> None:
    async def add(request: Any, context: Any) -> Any:
        return AddResponse(consistency_token=request.messages[0].content)

    harness.service.add = add
    outcome = await harness.call(ADD)
    assert outcome.code.name == "OK"
    assert outcome.responses[0].consistency_token == "hi"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        ((("x-correlation-id", "a.B-9_"), ("x-request-id", "other")), "a.B-9_"),
        ((("x-request-id", "other"),), "other"),
        ((("x-correlation-id", "no spaces"), ("x-request-id", "other")), "other"),
        ((("x-correlation-id", "x" * 128),), "x" * 128),
        (TRACEPARENT, TRACE),
    ],
)
@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
async def test_the_correlation_id_is_returned(
    harness: Harness, metadata: Any, expected: str
) -> None:
    outcome = await harness.call(metadata=(*AUTHORIZED, *metadata))
    assert outcome.trailer("x-correlation-id") == expected
    assert (await harness.log("rpc.ended"))["correlation_id"] == expected


@pytest.mark.parametrize("bad", ["", "x" * 129, "a b", "a/b"])
async def test_a_malformed_correlation_id_is_replaced(harness: Harness, bad: str) -> None:
    outcome = await harness.call(metadata=(*AUTHORIZED, ("x-correlation-id", bad)))
    replaced = outcome.trailer("x-correlation-id")
    assert isinstance(replaced, str)
    assert replaced != bad
    assert len(replaced) == 32


async def test_trailers_of_the_handler_are_kept(harness: Harness) -> None:
    async def add(request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("x-deprecated", "v1.0"),))
        return AddResponse()

    harness.service.add = add
    outcome = await harness.call(metadata=(*AUTHORIZED, ("x-correlation-id", "c1")))
    assert outcome.trailer("x-deprecated") == "v1.0"
    assert outcome.trailer("x-correlation-id") == "c1"


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
@pytest.mark.parametrize("method", [GENERATE, WRITE])
async def test_both_styles_of_streaming_work(harness: Harness, method: str) -> None:
    async def generate(request: Any, context: Any) -> Any:
        for token in ("a", "b"):
            yield AddResponse(consistency_token=token)

    async def write(request: Any, context: Any) -> None:
        async for response in generate(request, context):
            await context.write(response)

    harness.service.stream, harness.service.write = generate, write
    outcome = await harness.stream(method)
    assert [r.consistency_token for r in outcome.responses] == ["a", "b"]
    assert outcome.trailer("x-correlation-id")
    entry = await harness.log("rpc.ended")
    assert (entry["response_messages"], entry["response_bytes"]) == (2, 6)


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
async def test_client_streams_are_decoded_too(harness: Harness) -> None:
    requests = [add_request(user_id="a"), add_request(user_id="b")]
    collected = await harness.client_stream(COLLECT, requests)
    echoed = await harness.client_stream(ECHO, requests)
    assert [r.consistency_token for r in collected.responses] == ["2"]
    assert [r.consistency_token for r in echoed.responses] == ["a", "b"]


async def test_one_log_event_a_call(harness: Harness) -> None:
    request = add_request()
    outcome = await harness.call(request=request)
    entry = await harness.log("rpc.ended")
    assert entry["log_level"] == "info"
    assert entry["method"] == "memoir.v1.MemoryService/AddMemories"
    assert entry["code"] == "OK"
    assert entry["project_id"] == "project"
    assert entry["request_bytes"] == request.ByteSize()
    assert entry["response_bytes"] == 0
    assert entry["duration_ms"] > 0
    assert entry["correlation_id"] == outcome.trailer("x-correlation-id")
    assert len([e for e in harness.logs if e["event"] == "rpc.ended"]) == 1


async def test_the_span_continues_the_clients_trace(harness: Harness) -> None:
    await harness.call(metadata=(*AUTHORIZED, *TRACEPARENT, ("x-correlation-id", "c1")))
    span = await harness.span()
    attributes = span.attributes or {}
    assert span.context is not None
    assert format_trace_id(span.context.trace_id) == TRACE
    assert span.name == "memoir.v1.MemoryService/AddMemories"
    assert span.kind is SpanKind.SERVER
    assert span.status.status_code is StatusCode.UNSET
    assert attributes["memoir.correlation_id"] == "c1"
    assert attributes["rpc.system.name"] == "grpc"
    assert attributes["rpc.method"] == "memoir.v1.MemoryService/AddMemories"
    assert attributes["rpc.response.status_code"] == "OK"
    assert attributes["network.peer.address"] in {"127.0.0.1", "::1"}
    assert isinstance(attributes["network.peer.port"], int)
    assert "grpc-python-asyncio" in str(attributes["user_agent.original"])
    assert not {"net.peer.ip", "rpc.system", "rpc.service"} & set(attributes)
    assert (await harness.log("rpc.ended"))["trace_id"] == TRACE


async def test_concurrent_calls_do_not_see_each_others_context(harness: Harness) -> None:
    everyone_is_in = asyncio.Barrier(20)

    async def add(request: Any, context: Any) -> Any:
        await everyone_is_in.wait()
        bound = structlog.contextvars.get_contextvars()["correlation_id"]
        seen = (current_request().correlation_id, bound, current_caller().project_id)
        return AddResponse(consistency_token=" ".join(seen))

    harness.service.add = add
    outcomes = await asyncio.gather(
        *(
            harness.call(
                request=add_request(project_id=f"p{i}"),
                metadata=(("authorization", "Token mem_org"), ("x-correlation-id", f"c{i}")),
            )
            for i in range(20)
        )
    )
    assert [o.responses[0].consistency_token for o in outcomes] == [
        f"c{i} c{i} p{i}" for i in range(20)
    ]
