"""Trying a request again, within the call's deadline."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import structlog

from server.adapters.gemini.faults import REQUEST_ERRORS, GeminiFault, read_fault
from server.domain.errors import ModelQuotaExhausted, ModelUnavailable, Retryable
from server.domain.request_context import current_request
from server.telemetry.metrics import MODEL_RETRIES

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
        """How long a provider that asks for it is waited for at most, in seconds."""
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
                "gemini.retry", model=model, attempt=attempt, delay=delay, **_described(fault)
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
        _log.error("gemini.configuration_fault", model=model, **_described(fault))
        return ModelUnavailable(model, _CONFIGURATION_PAUSE)
    _log.warning("gemini.given_up", model=model, attempts=attempts, **_described(fault))
    error = ModelQuotaExhausted if fault.is_quota else ModelUnavailable
    return error(model, fault.retry_after) if fault.retry_after else error(model)


def _described(fault: GeminiFault) -> dict[str, object]:
    return {"status": fault.status, "reason": fault.reason}
