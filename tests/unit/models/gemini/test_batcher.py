"""Concurrent calls share requests, but not failures or results."""

from __future__ import annotations

import asyncio
import time
from array import array
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext, current_request
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable
from server.core.values import Vector
from server.models.gemini.batcher import MAX_TEXTS, EmbeddingBatcher
from server.models.gemini.faults import GeminiFault
from server.models.ports import EmbeddingPurpose
from server.telemetry.spans import current_traceparent, span
from tests.support.request_context import in_request

DOCUMENT, QUERY = EmbeddingPurpose.DOCUMENT, EmbeddingPurpose.QUERY
LONG = 60.0
SOON = 0.05
SECONDS = 10.0


def windows(seconds: float) -> dict[EmbeddingPurpose, float]:
    return dict.fromkeys(EmbeddingPurpose, seconds)


def vector_of(text: str) -> Vector:
    return array("f", [float(len(text)), *map(float, text.encode()[:3])])


class Provider:
    """Responds once its gate is open; `requests` are the received requests with their contexts."""

    def __init__(self) -> None:
        self.requests: list[list[str]] = []
        self.contexts: list[RequestContext] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()
        self.cancelled = 0
        self.failure: Exception | None = None
        self.refused = ""

    async def __call__(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        self.requests.append(list(texts))
        self.contexts.append(current_request())
        self.arrived.set()
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.refused in texts:
            raise ModelUnavailable("m") from GeminiFault(400, "INVALID_ARGUMENT")
        if self.failure:
            raise self.failure
        return [vector_of(text) for text in texts]


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def batcher(provider: Provider) -> EmbeddingBatcher:
    return EmbeddingBatcher(provider)


def calling(
    batcher: EmbeddingBatcher, *texts: str, name: str = "c", seconds: float = LONG
) -> asyncio.Task[list[Vector]]:
    context = RequestContext(name, time.monotonic() + seconds)
    return asyncio.create_task(in_request(context, lambda: batcher.embed(texts, DOCUMENT)))


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_concurrent_calls_share_a_request(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    one, other = calling(batcher, "a", "bb"), calling(batcher, "ccc")
    assert await one == [vector_of("a"), vector_of("bb")]
    assert await other == [vector_of("ccc")]
    assert provider.requests == [["a", "bb", "ccc"]]


@given(st.lists(st.lists(st.text(max_size=3), max_size=250), max_size=6))
async def test_every_call_gets_its_own_vectors_in_order(
    calls: list[list[str]],
) -> None:
    provider = Provider()
    batcher = EmbeddingBatcher(provider, windows(0.0))
    provider.refused = "never said"
    tasks = [calling(batcher, *texts) for texts in calls]
    for texts, task in zip(calls, tasks, strict=True):
        assert await task == [vector_of(text) for text in texts]
    sizes = [len(request) for request in provider.requests]
    assert all(0 < size <= MAX_TEXTS for size in sizes)
    assert sum(sizes) == sum(map(len, calls))


async def test_a_full_request_does_not_wait(provider: Provider) -> None:
    batcher = EmbeddingBatcher(provider, windows(LONG))
    provider.gate.clear()
    first = calling(batcher, "a")
    await provider.arrived.wait()
    provider.gate.set()
    assert len(await batcher.embed(["x"] * 200, DOCUMENT)) == 200
    assert [len(request) for request in provider.requests] == [1, 100, 100]
    await first


async def test_questions_and_documents_do_not_mix(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    await asyncio.gather(batcher.embed(["a"], DOCUMENT), batcher.embed(["b"], QUERY))
    assert provider.requests == [["a"], ["b"]]


async def test_a_request_has_all_correlation_ids_and_the_latest_deadline(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    tasks = [
        calling(batcher, "a", name="one", seconds=30),
        calling(batcher, "b", name="two", seconds=90),
        calling(batcher, "c", name="one", seconds=60),
    ]
    await asyncio.gather(*tasks)
    [context] = provider.contexts
    assert context.correlation_id == "one,two"
    assert 80 < context.remaining() <= 90


async def test_ids_beyond_the_limit_are_only_counted(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    ids = [f"{number:0128}" for number in range(60)]
    await asyncio.gather(*(calling(batcher, "a", name=name) for name in ids))
    told = provider.contexts[0].correlation_id.split(",")
    assert told == [*ids[:31], "+29"]
    assert len(",".join(told)) < 4200


async def test_a_call_that_ends_early_does_not_affect_others(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    provider.gate.clear()
    cancelled, late, patient = (
        calling(batcher, "a"),
        calling(batcher, "b", seconds=SOON),
        calling(batcher, "c"),
    )
    await provider.arrived.wait()
    cancelled.cancel()
    with pytest.raises(DeadlineExceeded):
        await late
    provider.gate.set()
    assert await patient == [vector_of("c")]
    assert provider.cancelled == 0


async def test_a_request_without_waiting_calls_is_cancelled(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    provider.gate.clear()
    tasks = [calling(batcher, "a"), calling(batcher, "b")]
    await provider.arrived.wait()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    provider.gate.set()
    assert await batcher.embed(["c"], DOCUMENT) == [vector_of("c")]
    assert provider.cancelled == 1


async def test_a_lone_call_does_not_wait_and_later_ones_are_gathered(provider: Provider) -> None:
    batcher = EmbeddingBatcher(provider, windows(SOON))
    provider.gate.clear()
    first = calling(batcher, "a")
    await provider.arrived.wait()
    gone, stays, joins = (calling(batcher, text) for text in ("b", "c", "d"))
    await let_others_run()
    assert provider.requests == [["a"]]
    gone.cancel()
    await let_others_run()
    provider.gate.set()
    await asyncio.gather(first, stays, joins)
    assert provider.requests == [["a"], ["c", "d"]]


async def test_collected_texts_are_sent_when_no_request_runs_any_more(provider: Provider) -> None:
    batcher = EmbeddingBatcher(provider, windows(LONG))
    provider.gate.clear()
    first = calling(batcher, "a")
    await provider.arrived.wait()
    collected = [calling(batcher, text) for text in ("b", "c")]
    await let_others_run()
    assert provider.requests == [["a"]]
    provider.gate.set()
    async with asyncio.timeout(SECONDS):
        await asyncio.gather(first, *collected)
    assert provider.requests == [["a"], ["b", "c"]]


@pytest.mark.parametrize("failure", [ModelQuotaExhausted("m"), ZeroDivisionError()], ids=repr)
async def test_a_failure_is_raised_to_all_calls(
    batcher: EmbeddingBatcher, provider: Provider, failure: Exception
) -> None:
    provider.failure = failure
    tasks = [calling(batcher, "a"), calling(batcher, "b")]
    await asyncio.wait(tasks)
    assert [task.exception() for task in tasks] == [failure, failure]
    provider.failure = None
    assert await batcher.embed(["c"], DOCUMENT) == [vector_of("c")]


async def test_a_refused_text_fails_only_its_own_call(
    batcher: EmbeddingBatcher, provider: Provider
) -> None:
    provider.refused = "poison"
    one, bad, other = (calling(batcher, text) for text in ("a", "poison", "c"))
    await asyncio.wait([one, bad, other])
    assert (one.result(), other.result()) == ([vector_of("a")], [vector_of("c")])
    assert isinstance(bad.exception(), ModelUnavailable)
    assert provider.requests == [["a", "poison", "c"], ["a"], ["poison"], ["c"]]


async def traced_call(batcher: EmbeddingBatcher, text: str) -> None:
    with trace.get_tracer("test").start_as_current_span(text):
        context = RequestContext(text, time.monotonic() + LONG, current_traceparent())
        await in_request(context, lambda: batcher.embed([text], DOCUMENT))


def by_name(exported: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    return {finished.name: finished for finished in exported.get_finished_spans()}


@pytest.fixture
def traced_batcher(provider: Provider) -> EmbeddingBatcher:
    async def send(texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        with span("request"):
            return await provider(texts, purpose)

    return EmbeddingBatcher(send)


async def test_a_request_for_one_call_is_in_its_trace(
    traced_batcher: EmbeddingBatcher, exported: InMemorySpanExporter
) -> None:
    await traced_call(traced_batcher, "one")
    spans = by_name(exported)
    assert spans["request"].parent == spans["one"].context


async def test_a_shared_request_and_its_calls_link_to_each_other(
    traced_batcher: EmbeddingBatcher, exported: InMemorySpanExporter
) -> None:
    await asyncio.gather(*(traced_call(traced_batcher, text) for text in ("one", "two")))
    spans = by_name(exported)
    batch = spans["embedding batch"]
    assert batch.parent is None
    assert spans["request"].parent == batch.context
    callers = {spans["one"].context.span_id, spans["two"].context.span_id}
    assert {link.context.span_id for link in batch.links} == callers
    for call in ("one", "two"):
        assert [link.context for link in spans[call].links] == [batch.context]
