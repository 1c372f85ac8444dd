"""Faults of the provider and of the network, deadlines, limits and what reaches the logs."""

from __future__ import annotations

import asyncio
import time
import traceback
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable
from server.core.values import Vector
from server.models.gemini.client import GeminiClient
from server.models.gemini.embedder import GeminiEmbedder
from server.models.gemini.limiter import FIRST_LIMIT
from server.models.gemini.options import GeminiOptions
from server.models.gemini.retry import Retrier, RetryPolicy
from server.models.ports import EmbeddingPurpose
from tests.support import gemini_faults
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_faults import Fault, Json
from tests.support.request_context import in_request

EMBED = "batchEmbedContents"
TEXT = "Ada's private words"
# Far more than a local request takes, and far less than any other timeout.
SOON = 5.0

PASSING = [
    gemini_faults.status(500, "INTERNAL"),
    gemini_faults.status(502),
    gemini_faults.status(503, "UNAVAILABLE"),
    gemini_faults.status(504, "DEADLINE_EXCEEDED"),
    gemini_faults.quota(),
    gemini_faults.reset,
    gemini_faults.truncated_json,
    gemini_faults.body("<html>bad gateway</html>"),
    gemini_faults.body('{"embeddings": 7}'),
    gemini_faults.body('{"embeddings": [{"values": null}]}'),
    gemini_faults.body("[[1]]"),
    gemini_faults.not_a_number,
]


async def no_sleep(seconds: float) -> None:
    """A pause that takes no time."""


def embedding(embedder: GeminiEmbedder) -> Callable[[], Awaitable[list[Vector]]]:
    return lambda: embedder.embed([TEXT], EmbeddingPurpose.DOCUMENT)


def due_in(seconds: float) -> RequestContext:
    return RequestContext("corr-7", time.monotonic() + seconds)


@pytest.mark.parametrize("fault", PASSING)
async def test_a_transient_fault_is_overcome(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, fault: Fault
) -> None:
    endpoint.fail(EMBED, fault, times=2)

    with capture_logs() as logs:
        vectors = await embedding(embedder)()

    assert len(vectors) == 1
    assert len(endpoint.calls(EMBED)) == 3
    assert [log["event"] for log in logs] == ["gemini_call.retried"] * 2


@pytest.mark.parametrize("fault", PASSING)
async def test_a_lasting_fault_is_an_error_after_bounded_attempts(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, fault: Fault
) -> None:
    endpoint.fail(EMBED, fault, times=10)

    with capture_logs(), pytest.raises((ModelUnavailable, ModelQuotaExhausted)):
        await embedding(embedder)()

    assert len(endpoint.calls(EMBED)) == 3


async def test_an_unreachable_server_is_unavailable(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    await endpoint.__aexit__()

    with capture_logs() as logs, pytest.raises(ModelUnavailable):
        await embedding(embedder)()

    assert logs[-1]["reason"] == "ClientConnectorError"


async def test_a_quota_error_has_the_delay_of_the_provider(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    endpoint.fail(EMBED, gemini_faults.quota(retry_after=0.25), times=3)

    with capture_logs(), pytest.raises(ModelQuotaExhausted) as caught:
        await embedding(embedder)()

    assert caught.value.retry_after.total_seconds() == 0.25


async def test_retry_info_beyond_the_deadline_is_not_waited_for(endpoint: GeminiEndpoint) -> None:
    client = GeminiClient("k", GeminiOptions(base_url=endpoint.base_url))
    endpoint.fail(EMBED, gemini_faults.quota(retry_after=20))

    with capture_logs(), pytest.raises(ModelQuotaExhausted) as caught:
        await in_request(due_in(SOON), embedding(GeminiEmbedder(client, GeminiOptions())))

    assert caught.value.retry_after.total_seconds() == 20
    assert len(endpoint.requests) == 1
    await client.close()


@pytest.mark.parametrize(
    "fault",
    [
        gemini_faults.status(400, "INVALID_ARGUMENT", reason="API_KEY_INVALID"),
        gemini_faults.status(403, "PERMISSION_DENIED"),
        gemini_faults.status(404, "NOT_FOUND"),
    ],
)
async def test_a_configuration_fault_is_not_retried(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, fault: Fault
) -> None:
    endpoint.fail(EMBED, fault, times=3)

    with capture_logs() as logs, pytest.raises(ModelUnavailable):
        await embedding(embedder)()

    assert len(endpoint.requests) == 1
    assert [(log["event"], log["log_level"]) for log in logs] == [("gemini_call.refused", "error")]


@pytest.mark.parametrize("fault", [gemini_faults.hang, gemini_faults.drip])
async def test_the_deadline_ends_a_hanging_request(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, fault: Fault
) -> None:
    endpoint.fail(EMBED, fault)
    begin = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        await in_request(due_in(0.2), embedding(embedder))

    assert 0.2 <= time.monotonic() - begin < SOON
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("fault", [gemini_faults.hang, gemini_faults.drip])
async def test_an_attempt_that_does_not_end_is_cut_off_and_repeated(
    client: GeminiClient, endpoint: GeminiEndpoint, fault: Fault
) -> None:
    endpoint.fail(EMBED, fault)

    with capture_logs() as logs:
        hasty = GeminiEmbedder(client, GeminiOptions(timeout=1.0))
        vectors = await in_request(due_in(SOON), embedding(hasty))

    assert len(vectors) == 1
    assert [log["event"] for log in logs] == ["gemini_call.retried"]


async def test_waiting_for_a_turn_ends_with_the_deadline(endpoint: GeminiEndpoint) -> None:
    client = GeminiClient("k", GeminiOptions(base_url=endpoint.base_url, concurrency=1))
    arrived = asyncio.Event()

    async def hang(request: web.Request, healthy: Json) -> web.StreamResponse:
        arrived.set()
        return await gemini_faults.hang(request, healthy)

    endpoint.fail(EMBED, hang)
    first = asyncio.ensure_future(embedding(GeminiEmbedder(client, GeminiOptions()))())
    await arrived.wait()
    begin = time.monotonic()

    with pytest.raises(DeadlineExceeded):
        await in_request(due_in(0.2), embedding(GeminiEmbedder(client, GeminiOptions())))

    assert time.monotonic() - begin < SOON
    assert len(endpoint.requests) == 1
    first.cancel()
    await asyncio.wait([first])
    await client.close()


async def test_concurrent_requests_are_limited(endpoint: GeminiEndpoint) -> None:
    client = GeminiClient("k", GeminiOptions(base_url=endpoint.base_url, concurrency=2))
    two_arrived, open_gate = asyncio.Event(), asyncio.Event()

    async def wait_at_gate(request: web.Request, healthy: Json) -> web.StreamResponse:
        if len(endpoint.calls(EMBED)) == 2:
            two_arrived.set()
        await open_gate.wait()
        return web.json_response(healthy)

    endpoint.fail(EMBED, wait_at_gate, times=5)
    work = asyncio.ensure_future(
        GeminiEmbedder(client, GeminiOptions()).embed([TEXT] * 500, EmbeddingPurpose.DOCUMENT)
    )
    await two_arrived.wait()
    # A whole round trip of another client gives a third request time to arrive, if it could.
    async with aiohttp.ClientSession() as other, other.get(endpoint.base_url):
        pass

    assert len(endpoint.calls(EMBED)) == 2
    open_gate.set()
    assert len(await work) == 500
    assert len(endpoint.calls(EMBED)) == 5
    await client.close()


async def test_a_refusal_halves_the_concurrent_requests(
    client: GeminiClient, endpoint: GeminiEndpoint
) -> None:
    limiter = client.limiter("gemini-embedding-001")
    before = limiter.limit
    endpoint.fail(EMBED, gemini_faults.quota())
    endpoint.fail(EMBED, gemini_faults.status(503, "UNAVAILABLE"))
    with capture_logs():
        await embedding(GeminiEmbedder(client, GeminiOptions()))()
    assert limiter.limit == before // 4

    endpoint.fail(EMBED, gemini_faults.status(500, "INTERNAL"))
    with capture_logs():
        await embedding(GeminiEmbedder(client, GeminiOptions()))()
    assert limiter.limit == before // 4


async def test_all_calls_succeed_after_many_refusals(endpoint: GeminiEndpoint) -> None:
    """The provider accepts few concurrent requests for a while; all calls succeed in the end."""
    client = GeminiClient(
        "k",
        GeminiOptions(base_url=endpoint.base_url),
        retrier=Retrier(RetryPolicy(attempts=50), sleep=no_sleep),
    )
    endpoint.fail(EMBED, gemini_faults.quota(), times=60)
    # Each has its own batcher, so that none shares a request.
    callers = [GeminiEmbedder(client, GeminiOptions()) for _ in range(40)]
    with capture_logs():
        answers = await asyncio.gather(*(embedding(caller)() for caller in callers))

    assert [len(answer) for answer in answers] == [1] * 40
    assert len(endpoint.calls(EMBED)) == 100
    assert client.limiter("gemini-embedding-001").limit < FIRST_LIMIT
    await client.close()


async def test_no_call_is_sent_while_the_provider_asks_to_wait(
    endpoint: GeminiEndpoint,
) -> None:
    client = GeminiClient("k", GeminiOptions(base_url=endpoint.base_url))
    endpoint.fail(EMBED, gemini_faults.quota(retry_after=20))
    with capture_logs():
        for _ in range(2):
            with pytest.raises(ModelQuotaExhausted) as caught:
                await in_request(due_in(SOON), embedding(GeminiEmbedder(client, GeminiOptions())))
            assert 15 < caught.value.retry_after.total_seconds() <= 20
    assert len(endpoint.requests) == 1

    # Another model has its own quota.
    other = GeminiEmbedder(client, GeminiOptions(embedding_model="gemini-embedding-2"))
    assert len(await in_request(due_in(SOON), embedding(other))) == 1
    await client.close()


async def test_a_redirect_is_not_followed(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    """Following it would send the key and the text to another address."""
    async with GeminiEndpoint() as elsewhere:

        async def redirect(_: web.Request, healthy: Json) -> web.StreamResponse:
            path = "/v1beta/models/gemini-embedding-001:batchEmbedContents"
            raise web.HTTPTemporaryRedirect(elsewhere.base_url + path)

        endpoint.fail(EMBED, redirect)
        with capture_logs(), pytest.raises(ModelUnavailable):
            await embedding(embedder)()
        assert not elsewhere.requests


async def test_a_refused_text_does_not_fail_the_calls_that_it_came_with(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    endpoint.fail(EMBED, gemini_faults.status(400, "INVALID_ARGUMENT"), times=2)
    with capture_logs():
        answers = await asyncio.gather(
            *(embedding(embedder)() for _ in range(3)), return_exceptions=True
        )
    assert isinstance(answers[0], ModelUnavailable)
    assert [type(answer) for answer in answers[1:]] == [list, list]
    assert [len(r.body["requests"]) for r in endpoint.calls(EMBED)] == [3, 1, 1, 1]


async def test_each_request_has_the_calls_correlation_id_and_time(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint
) -> None:
    await in_request(due_in(2.5), embedding(embedder))
    await in_request(RequestContext("corr-8", time.monotonic() + 100), embedding(embedder))

    headers = [request.headers for request in endpoint.requests]
    assert [header["x-correlation-id"] for header in headers] == ["corr-7", "corr-8"]
    assert [header["x-server-timeout"] for header in headers] == ["3", "30"]


async def test_the_key_is_sent_only_in_a_header(
    embedder: GeminiEmbedder, endpoint: GeminiEndpoint, api_key: str
) -> None:
    await embedding(embedder)()

    [request] = endpoint.requests
    assert request.headers["x-goog-api-key"] == api_key
    assert api_key not in request.path


@pytest.mark.parametrize(("code", "word"), [(403, "PERMISSION_DENIED"), (503, "UNAVAILABLE")])
async def test_neither_key_nor_text_reaches_a_log(
    embedder: GeminiEmbedder,
    endpoint: GeminiEndpoint,
    api_key: str,
    caplog: pytest.LogCaptureFixture,
    code: int,
    word: str,
) -> None:
    telltale = f"Consumer 'api_key:{api_key}' sent {TEXT}"
    fault = gemini_faults.status(code, word, reason=telltale, message=telltale)
    endpoint.fail(EMBED, fault, times=3)

    with caplog.at_level(0), capture_logs() as logs, pytest.raises(ModelUnavailable) as caught:
        await embedding(embedder)()

    told = [*map(str, logs), caplog.text, *traceback.format_exception(caught.value)]
    assert logs
    for line in told:
        assert api_key not in line
        assert TEXT not in line


async def test_the_environment_does_not_redirect_the_client(
    endpoint: GeminiEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_GENAI_USE_VERTEXAI", "true")
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "v9")
    monkeypatch.setenv("GOOGLE_API_KEY", "another")
    retrier = Retrier(RetryPolicy(attempts=1))
    client = GeminiClient("ours", GeminiOptions(base_url=endpoint.base_url), retrier=retrier)

    await embedding(GeminiEmbedder(client, GeminiOptions()))()

    [request] = endpoint.requests
    assert request.path.startswith("/v1beta/")
    assert request.headers["x-goog-api-key"] == "ours"
    await client.close()


@pytest.mark.parametrize("proxied", [False, True])
async def test_a_proxy_of_the_environment_is_used(
    endpoint: GeminiEndpoint, monkeypatch: pytest.MonkeyPatch, *, proxied: bool
) -> None:
    monkeypatch.setenv("HTTP_PROXY", endpoint.base_url)
    monkeypatch.setenv("NO_PROXY", "" if proxied else "gemini.invalid")
    retrier = Retrier(RetryPolicy(attempts=1), sleep=no_sleep)
    client = GeminiClient("key", GeminiOptions(base_url="http://gemini.invalid"), retrier=retrier)
    try:
        with nullcontext() if proxied else pytest.raises(ModelUnavailable):
            await GeminiEmbedder(client, GeminiOptions()).embed([TEXT], EmbeddingPurpose.DOCUMENT)
    finally:
        await client.close()
    assert [request.headers["host"] for request in endpoint.requests] == (
        ["gemini.invalid"] if proxied else []
    )


async def test_passwords_of_netrc_are_not_sent(
    endpoint: GeminiEndpoint, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login ada password secret", "utf-8")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    client = GeminiClient("key", GeminiOptions(base_url=endpoint.base_url))
    try:
        await GeminiEmbedder(client, GeminiOptions()).embed([TEXT], EmbeddingPurpose.DOCUMENT)
    finally:
        await client.close()
    [request] = endpoint.requests
    assert "authorization" not in request.headers
