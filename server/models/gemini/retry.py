"""Classifies failed requests to the Gemini API, and retries them within the call's deadline."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import aiohttp
import structlog
from google.genai.errors import APIError

from server.core.request_context import current_request
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable, Retryable
from server.telemetry.metrics import MODEL_RETRIES

REQUEST_ERRORS: tuple[type[Exception], ...] = (
    APIError,
    aiohttp.ClientError,
    TimeoutError,
    # The body is not JSON, or JSON of another shape.
    ValueError,
    TypeError,
)
"""The exceptions of failed requests."""

_QUOTA = 429
_BAD_INPUT = 400
_OVERLOADED = frozenset({_QUOTA, 503})
_TRANSIENT = frozenset({_QUOTA, 500, 502, 503, 504})
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,62}")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class GeminiFault(Exception):
    """A failed request.

    It contains no text of the provider, whose messages can contain the API key and the input.

    Attributes:
        status: The HTTP status, or None without a response.
        reason: The provider's reason, such as `RESOURCE_EXHAUSTED`, or the exception's name.
        retry_after: The delay that the provider asked for, if any.
    """

    def __init__(
        self, status: int | None, reason: str, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{status or 'no response'} {reason}".strip())
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_quota(self) -> bool:
        """Whether the provider's quota is used up."""
        return self.status == _QUOTA

    @property
    def is_transient(self) -> bool:
        """Whether the same request may succeed later."""
        return self.status is None or self.status in _TRANSIENT


def is_overload(error: Exception) -> bool:
    """Whether the provider refused a request because there are too many."""
    return isinstance(error, APIError) and error.code in _OVERLOADED


def is_bad_input(error: Exception) -> bool:
    """Whether the cause of an error is a request that the provider refused for its content."""
    fault = error.__cause__
    return isinstance(fault, GeminiFault) and fault.status == _BAD_INPUT


def read_fault(error: Exception) -> GeminiFault:
    """Converts one of `REQUEST_ERRORS` to a fault."""
    if not isinstance(error, APIError):
        return GeminiFault(None, type(error).__name__)
    return GeminiFault(error.code, _reason(error), _retry_after(error.details))


def _reason(error: APIError) -> str:
    stated = [detail.get("reason") for detail in _details(error.details, _ERROR_INFO)]
    for word in (*stated, error.status):
        if isinstance(word, str) and _REASON.fullmatch(word):
            return word
    return ""


def _retry_after(body: object) -> timedelta | None:
    """Returns the delay of google.rpc.RetryInfo, a protobuf Duration in JSON such as `"3.5s"`."""
    for detail in _details(body, _RETRY_INFO):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and (match := _DURATION.fullmatch(delay)):
            return timedelta(seconds=float(match[1]))
    return None


def _details(body: object, kind: str) -> Iterator[dict[str, object]]:
    """Yields the details of one type in a google.rpc.Status in JSON."""
    error = body.get("error", body) if isinstance(body, dict) else None
    entries = error.get("details") if isinstance(error, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("@type") == kind:
            yield entry


T = TypeVar("T")

_CONFIGURATION_PAUSE = timedelta(minutes=1)
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait in between, in seconds.

    If the provider asks for a longer delay than `longest_wait`, the request is not retried.
    """

    attempts: int = 4
    base_delay: float = 0.25
    max_delay: float = 8.0
    longest_wait: float = 30.0

    def delay(self, attempt: int, jitter: float, provider_delay: timedelta | None = None) -> float:
        """Returns the delay after the failed `attempt` (from 1): exponential backoff, full jitter.

        `jitter` is a random number in [0, 1). The delay that the provider asked for is added, so
        that callers that got the same delay do not retry at the same time.
        """
        backoff = jitter * min(self.max_delay, self.base_delay * 2.0 ** (attempt - 1))
        return backoff + (provider_delay.total_seconds() if provider_delay else 0.0)


class Retrier:
    """Retries a request until it succeeds, fails permanently, or no time is left."""

    def __init__(
        self,
        policy: RetryPolicy = RetryPolicy(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._jitter = jitter

    @property
    def patience(self) -> float:
        """The longest accepted delay of a provider, in seconds."""
        return self._policy.longest_wait

    async def run(self, model: str, send: Callable[[], Awaitable[T]]) -> T:
        """Returns the first successful result of `send`; `model` is for errors and the log.

        Raises:
            ModelQuotaExhausted: the provider's quota is used up.
            ModelUnavailable: any other fault.
            DeadlineExceeded: the call's time is up.
        """
        attempt = 1
        while True:
            try:
                return await send()
            except REQUEST_ERRORS as error:
                fault = read_fault(error)
            # Raised outside the handler, so that no log contains the original error as context.
            delay = self._policy.delay(attempt, self._jitter(), fault.retry_after)
            if not self._may_retry(fault, attempt, delay):
                raise _given_up(model, fault, attempt) from fault
            log.warning(
                "gemini_call.retried",
                model=model,
                attempt=attempt,
                delay=delay,
                **_described(fault),
            )
            MODEL_RETRIES.labels(model).inc()
            await self._sleep(delay)
            attempt += 1

    def _may_retry(self, fault: GeminiFault, attempt: int, delay: float) -> bool:
        if not fault.is_transient or attempt >= self._policy.attempts:
            return False
        return delay < min(self._policy.longest_wait, current_request().remaining())


def _given_up(model: str, fault: GeminiFault, attempts: int) -> Retryable:
    if not fault.is_transient:
        log.error("gemini_call.refused", model=model, **_described(fault))
        return ModelUnavailable(model, _CONFIGURATION_PAUSE)
    log.warning("gemini_call.given_up", model=model, attempts=attempts, **_described(fault))
    error = ModelQuotaExhausted if fault.is_quota else ModelUnavailable
    return error(model, fault.retry_after) if fault.retry_after else error(model)


def _described(fault: GeminiFault) -> dict[str, object]:
    return {"status": fault.status, "reason": fault.reason}
