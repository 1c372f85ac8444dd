"""Retries requests to the Gemini API within the call's deadline."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from server.core.request_context import current_request
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable, Retryable
from server.models.gemini.faults import REQUEST_ERRORS, GeminiFault, read_fault
from server.telemetry.metrics import MODEL_RETRIES

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
