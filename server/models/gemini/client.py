"""Sends requests to the Gemini API, with retries, within limits and deadlines."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, TypeVar
from urllib.request import getproxies

import aiohttp
import orjson
from google import genai
from google.genai import types
from google.genai._api_client import HttpRequest
from opentelemetry.trace import Span, SpanKind

from server.core.errors import DeadlineExceeded
from server.core.request_context import bounded, current_request
from server.core.transient_errors import ModelQuotaExhausted
from server.models.gemini.faults import is_overload, read_fault
from server.models.gemini.limiter import AdaptiveLimiter
from server.models.gemini.options import GeminiOptions
from server.models.gemini.retry import Retrier
from server.telemetry.metrics import MODEL_CALLS, MODEL_LIMIT, MODEL_WAIT_SECONDS
from server.telemetry.recording import model_call
from server.telemetry.spans import outgoing_headers, span

T = TypeVar("T")

# The values of `gen_ai.operation.name` in the semantic conventions.
EMBEDDINGS = "embeddings"
GENERATE_CONTENT = "generate_content"
_PROVIDER = "gcp.gemini"

# The client library's default, v1, has refused system instructions and response schemas.
_API_VERSION = "v1beta"
_LONGEST_PAUSE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class ModelRequest(Generic[T]):
    """One request to a method of a model, such as `generateContent`.

    `read` converts the text of a response to the answer; a ValueError from it counts as a transient
    fault of the provider. `operation` names the request in metrics. An attempt may take `timeout`
    seconds.
    """

    model_name: str
    method: str
    body: Mapping[str, object]
    read: Callable[[str], T]
    operation: str
    timeout: float

    @property
    def model(self) -> str:
        """The model's name with its provider."""
        return f"gemini/{self.model_name}"


class GeminiClient:
    """Sends requests with retries, within deadlines.

    The number of concurrent requests adapts to each model, which has its own quota, up to
    `concurrency`. If the provider asks for a delay, requests to that model wait for its end.

    Requests are sent by the client library's transport, without its retries, and parsed here: the
    library's typed methods cost several times as much as the request itself (ADR 0031).
    """

    def __init__(
        self,
        api_key: str,
        options: GeminiOptions,
        *,
        retrier: Retrier | None = None,
    ) -> None:
        # Only the limiter limits: waiting for a connection would count as a failed attempt. Proxies
        # in the environment are used. Without any, aiohttp would still look for them at every
        # request, and read ~/.netrc in a thread.
        self._http = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0), trust_env=_has_proxy()
        )
        self._genai = genai.Client(
            api_key=api_key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=options.base_url,
                api_version=_API_VERSION,
                aiohttp_client=self._http,
                # A redirect would send the key to another host.
                async_client_args={"allow_redirects": False},
                # By default, the library waits for seconds and sends the request again.
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )
        self._max_concurrency = options.concurrency
        self._limiters: dict[str, AdaptiveLimiter] = {}
        self._frames: dict[str, HttpRequest] = {}
        self._retrier = retrier or Retrier()
        self._show_limiters()

    def limiter(self, model_name: str) -> AdaptiveLimiter:
        """Returns the limiter of the requests to this model."""
        limiter = self._limiters.get(model_name)
        if limiter is None:
            limiter = self._limiters[model_name] = AdaptiveLimiter(self._max_concurrency)
        return limiter

    async def call(self, request: ModelRequest[T]) -> T:
        """Sends the request and returns the model's answer.

        Raises:
            ModelQuotaExhausted: the provider's quota is used up.
            ModelUnavailable: the provider is unreachable or returns errors.
            DeadlineExceeded: the call's time is up.
        """
        limiter = self.limiter(request.model_name)
        remaining = current_request().remaining()
        if limiter.pause_remaining > min(remaining, self._retrier.patience):
            raise ModelQuotaExhausted(request.model, timedelta(seconds=limiter.pause_remaining))

        async def attempt() -> T:
            began = time.perf_counter()
            async with limiter.slot(is_overload), asyncio.timeout(request.timeout):
                MODEL_WAIT_SECONDS.observe(time.perf_counter() - began)
                with model_call(request.model, request.operation):
                    return await self._send(request, limiter)

        try:
            async with asyncio.timeout(remaining):
                return await self._retrier.run(request.model, attempt)
        except TimeoutError:
            # The retrier converts the timeout of an attempt to a fault, so this is the deadline.
            raise DeadlineExceeded from None

    async def _send(self, request: ModelRequest[T], limiter: AdaptiveLimiter) -> T:
        try:
            response = await self._genai._api_client._async_request_once(self._posted(request))
        except Exception as error:
            if is_overload(error) and (provider_delay := read_fault(error).retry_after):
                limiter.pause(min(provider_delay, _LONGEST_PAUSE))
            raise
        return request.read(response.response_stream[0])

    def _posted(self, request: ModelRequest[T]) -> HttpRequest:
        """Returns the request to send, with the library's URL and headers, and our headers."""
        path = f"models/{request.model_name}:{request.method}"
        frame = self._frames.get(path)
        if frame is None:
            frame = self._frames[path] = self._genai._api_client._build_request("post", path, {})
        seconds = bounded(request.timeout)
        current = current_request()
        return HttpRequest(
            method=frame.method,
            url=frame.url,
            headers={
                **frame.headers,
                "X-Server-Timeout": str(math.ceil(seconds)),
                "x-correlation-id": current.correlation_id,
                **outgoing_headers(current.traceparent),
            },
            data=orjson.dumps(request.body),
            timeout=seconds,
        )

    async def close(self) -> None:
        """Closes all connections."""
        await self._genai.aio.aclose()
        self._genai.close()
        await self._http.close()

    def _show_limiters(self) -> None:
        """Makes the metrics read the limiters."""
        limiters = self._limiters
        MODEL_LIMIT.set_function(lambda: sum(each.limit for each in limiters.values()))
        MODEL_CALLS.labels("running").set_function(
            lambda: sum(each.busy for each in limiters.values())
        )
        MODEL_CALLS.labels("waiting").set_function(
            lambda: sum(each.waiting for each in limiters.values())
        )


def _has_proxy() -> bool:
    """Whether the environment names a proxy, by a variable such as HTTPS_PROXY."""
    return not getproxies().keys().isdisjoint({"http", "https"})


@contextmanager
def model_span(operation: str, model_name: str) -> Iterator[Span]:
    """Creates a span for a request with all its attempts, if the current call is traced."""
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": model_name,
    }
    with span(f"{operation} {model_name}", attributes, SpanKind.CLIENT) as current:
        yield current
