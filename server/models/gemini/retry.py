"""Faults of requests to the Gemini API, and retries within the call's deadline."""

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

from server.core.errors import ModelQuotaExhausted, ModelUnavailable, Retryable
from server.core.request_context import current_request
from server.telemetry.metrics import MODEL_RETRIES

REQUEST_ERRORS: tuple[type[Exception], ...] = (
    APIError,
    aiohttp.ClientError,
    TimeoutError,
    # A body is no JSON, or JSON of another shape.
    ValueError,
    TypeError,
)
"""The exceptions that stand for a failed request."""

_QUOTA = 429
_BAD_INPUT = 400
_OVERLOADED = frozenset({_QUOTA, 503})
_PASSING = frozenset({_QUOTA, 500, 502, 503, 504})
_ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
_RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
_REASON = re.compile(r"[A-Z][A-Z0-9_]{1,62}")
_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class GeminiFault(Exception):
    """One failed request.

    It carries no text of the provider: its messages can name the API key and repeat the input.

    Attributes:
        status: The HTTP status, or None where no answer arrived.
        reason: The provider's word for it, such as `RESOURCE_EXHAUSTED`, or the exception's name.
        retry_after: How long the provider asks to wait, if it says so.
    """

    def __init__(
        self, status: int | None, reason: str, retry_after: timedelta | None = None
    ) -> None:
        super().__init__(f"{status or 'no answer'} {reason}".strip())
        self.status = status
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_quota(self) -> bool:
        """Whether the provider's quota is used up."""
        return self.status == _QUOTA

    @property
    def is_passing(self) -> bool:
        """Whether the same request can succeed later."""
        return self.status is None or self.status in _PASSING


def is_overload(error: Exception) -> bool:
    """Whether the provider has refused a request because there are too many of them."""
    return isinstance(error, APIError) and error.code in _OVERLOADED


def is_bad_input(error: Exception) -> bool:
    """Whether an error of ours stands for a request that the provider refused for its content."""
    fault = error.__cause__
    return isinstance(fault, GeminiFault) and fault.status == _BAD_INPUT


def read_fault(error: Exception) -> GeminiFault:
    """The fault that one of `REQUEST_ERRORS` stands for."""
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
    """The delay of google.rpc.RetryInfo, a protobuf Duration in JSON such as `"3.5s"`."""
    for detail in _details(body, _RETRY_INFO):
        delay = detail.get("retryDelay")
        if isinstance(delay, str) and (match := _DURATION.fullmatch(delay)):
            return timedelta(seconds=float(match[1]))
    return None


def _details(body: object, kind: str) -> Iterator[dict[str, object]]:
    """The entries of one kind among the details of a google.rpc.Status in JSON."""
    error = body.get("error", body) if isinstance(body, dict) else None
    entries = error.get("details") if isinstance(error, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and entry.get("@type") == kind:
            yield entry


T = TypeVar("T")

_CONFIGURATION_PAUSE = timedelta(minutes=1)
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often to try, and how long to wait in between, in seconds.

    A provider that asks for more than `longest_wait` is not waited for.
    """

    attempts: int = 4
    base_delay: float = 0.25
    max_delay: float = 8.0
    longest_wait: float = 30.0

    def delay(self, attempt: int, chance: float, asked: timedelta | None = None) -> float:
        """Seconds to wait after the failed `attempt` (from 1): exponential backoff, full jitter.

        `chance` is a random number in [0, 1). What the provider asked for comes on top, so that
        callers that were told the same delay do not come back together.
        """
        backoff = chance * min(self.max_delay, self.base_delay * 2.0 ** (attempt - 1))
        return backoff + (asked.total_seconds() if asked else 0.0)


class Retrier:
    """Runs a request until it succeeds, or fails for good, or no time is left."""

    def __init__(
        self,
        policy: RetryPolicy = RetryPolicy(),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy
        self._sleep = sleep
        self._chance = chance

    @property
    def patience(self) -> float:
        """The longest time that a provider may ask us to wait, in seconds."""
        return self._policy.longest_wait

    async def run(self, model: str, send: Callable[[], Awaitable[T]]) -> T:
        """The first success of `send`; `model` names it in errors and in the log.

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
            # Raised outside of the handler: the original error must not reach a log as context.
            delay = self._policy.delay(attempt, self._chance(), fault.retry_after)
            if not self._may_retry(fault, attempt, delay):
                raise _given_up(model, fault, attempt) from fault
            _log.warning(
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
        if not fault.is_passing or attempt >= self._policy.attempts:
            return False
        return delay < min(self._policy.longest_wait, current_request().remaining())


def _given_up(model: str, fault: GeminiFault, attempts: int) -> Retryable:
    if not fault.is_passing:
        _log.error("gemini_call.refused", model=model, **_described(fault))
        return ModelUnavailable(model, _CONFIGURATION_PAUSE)
    _log.warning("gemini_call.given_up", model=model, attempts=attempts, **_described(fault))
    error = ModelQuotaExhausted if fault.is_quota else ModelUnavailable
    return error(model, fault.retry_after) if fault.retry_after else error(model)


def _described(fault: GeminiFault) -> dict[str, object]:
    return {"status": fault.status, "reason": fault.reason}
