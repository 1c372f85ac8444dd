"""The one connection to the Gemini API, shared by the embedder and the language model."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import httpx2
from google import genai
from google.genai import types
from google.genai.models import AsyncModels

from server.adapters.gemini.faults import is_overload
from server.adapters.gemini.limiter import AdaptiveLimiter
from server.adapters.gemini.retry import Retrier
from server.domain.errors import DeadlineExceeded
from server.domain.request_context import bounded, current_request
from server.telemetry.metrics import MODEL_CALLS, MODEL_LIMIT, MODEL_WAIT_SECONDS
from server.telemetry.recording import model_call
from server.telemetry.trace_context import outgoing_headers

T = TypeVar("T")

# The client library's default, v1, has refused system instructions and response schemas.
_API_VERSION = "v1beta"


class GeminiClient:
    """Sends requests with retries, within deadlines.

    At most `max_concurrency` are under way, fewer while the provider refuses them.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        max_concurrency: int = 32,
        retrier: Retrier | None = None,
    ) -> None:
        # The limiter is the one limit: waiting for a connection would count as a failed attempt.
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=max_concurrency)
        # An HTTP client of our own, because the library otherwise picks aiohttp where that is
        # installed, and then retries by itself.
        self._http = httpx2.AsyncClient(limits=limits)
        self._genai = genai.Client(
            api_key=api_key,
            vertexai=False,
            http_options=types.HttpOptions(
                base_url=base_url,
                api_version=_API_VERSION,
                httpx_async_client=self._http,
                retry_options=types.HttpRetryOptions(attempts=1),
            ),
        )
        self._limiter = AdaptiveLimiter(max_concurrency, is_overload)
        _show(self._limiter)
        self._retrier = retrier or Retrier()

    async def call(
        self,
        model: str,
        operation: str,
        timeout: float,
        send: Callable[[AsyncModels, types.HttpOptions], Awaitable[T]],
    ) -> T:
        """What `send` answers; each attempt may take `timeout` seconds. `model` names it in errors,
        `operation` in metrics.

        Raises:
            ModelQuotaExhausted: the provider's quota is used up.
            ModelUnavailable: the provider is away or answers with faults.
            DeadlineExceeded: the call's time is up.
        """

        async def attempt() -> T:
            began = time.perf_counter()
            async with self._limiter.slot(), asyncio.timeout(timeout):
                MODEL_WAIT_SECONDS.observe(time.perf_counter() - began)
                with model_call(model, operation):
                    return await send(self._genai.aio.models, _http_options(bounded(timeout)))

        try:
            async with asyncio.timeout(current_request().remaining()):
                return await self._retrier.run(model, attempt)
        except TimeoutError:
            # The retrier has turned an attempt's own timeout into a fault: this is the deadline's.
            raise DeadlineExceeded from None

    async def close(self) -> None:
        """Closes all connections."""
        await self._genai.aio.aclose()
        self._genai.close()
        await self._http.aclose()


def _show(limiter: AdaptiveLimiter) -> None:
    """Has the metrics look at the limiter whenever they are read."""
    MODEL_LIMIT.set_function(lambda: limiter.limit)
    MODEL_CALLS.labels("running").set_function(lambda: limiter.busy)
    MODEL_CALLS.labels("waiting").set_function(lambda: limiter.waiting)


def _http_options(seconds: float) -> types.HttpOptions:
    request = current_request()
    return types.HttpOptions(
        timeout=math.ceil(seconds * 1000),
        headers={
            "x-correlation-id": request.correlation_id,
            **outgoing_headers(request.traceparent),
        },
    )
