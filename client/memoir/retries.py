"""Decides when a failed call is retried.

Writes carry a `request_id`, so a repeated write has no second effect.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from memoir.errors import DeadlineExceeded, MemoirError

_CONCURRENT_CHANGE = "ERROR_REASON_CONCURRENT_CHANGE"
_SPENT_QUOTAS = frozenset({"ERROR_REASON_MODEL_QUOTA_EXHAUSTED", "ERROR_REASON_QUOTA_EXCEEDED"})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and after which delay a call is retried.

    If the server's error has a delay, it is used. Otherwise the delay doubles from `initial_delay`
    to `longest_delay` seconds; its upper half is random, so that clients do not retry together.
    """

    attempts: int = 10
    initial_delay: float = 0.1
    longest_delay: float = 5.0

    def delay(self, attempt: int, error: MemoirError) -> float | None:
        """Returns the seconds to wait after failure `attempt` (from 1); None: do not retry."""
        if attempt >= self.attempts or not _is_transient(error):
            return None
        return self.backoff(attempt, error)

    def backoff(self, attempt: int, error: MemoirError) -> float:
        """Returns the seconds to wait after failure `attempt`, however many there were."""
        if error.retry_after is not None:
            return error.retry_after
        longest = min(self.longest_delay, self.initial_delay * 2.0 ** min(attempt - 1, 30))
        return random.uniform(longest / 2, longest)  # noqa: S311 - spreads load, guards nothing


def _is_transient(error: MemoirError) -> bool:
    if error.code == "CANCELLED":
        # gRPC itself refuses calls that a busy server does not look at in time, and says no more.
        return error.message == error.code
    if error.code in {"UNAVAILABLE", "RESOURCE_EXHAUSTED"}:
        return error.reason not in _SPENT_QUOTAS
    return error.reason == _CONCURRENT_CHANGE


class Deadline:
    """The deadline of a call, `timeout` seconds from now."""

    def __init__(self, timeout: float, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._end = now() + timeout

    def remaining(self) -> float:
        """Returns the seconds that are left.

        Raises:
            DeadlineExceeded: none are left.
        """
        left = self._end - self._now()
        if left <= 0:
            raise DeadlineExceeded("the call's time is up", code="DEADLINE_EXCEEDED")
        return left

    def allows(self, delay: float) -> bool:
        """Whether there is time left after this delay."""
        return self._now() + delay < self._end


class Attempts:
    """The attempts of one call, within its deadline."""

    def __init__(self, policy: RetryPolicy, deadline: Deadline) -> None:
        self._policy = policy
        self._deadline = deadline
        self._failures = 0

    def remaining(self) -> float:
        """Returns the seconds for the next attempt.

        Raises:
            DeadlineExceeded: none are left.
        """
        return self._deadline.remaining()

    def delay_after(self, error: MemoirError) -> float:
        """Returns the seconds to wait before the next attempt.

        Raises:
            MemoirError: the error itself, if a retry would not help or there is no time for it.
        """
        self._failures += 1
        delay = self._policy.delay(self._failures, error)
        if delay is None or not self._deadline.allows(delay):
            raise error
        return delay


class Resumption:
    """A stream of events over any number of connections.

    After each disconnection it resumes after the last event that was yielded. Only its timeout, or
    an error that a new connection would not fix, ends it.
    """

    def __init__(
        self,
        options: Mapping[str, object],
        policy: RetryPolicy,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._options = dict(options)
        self._policy = policy
        self._now = now
        self._failures = 0
        timeout = self._options.pop("timeout", None)
        self._deadline = now() + timeout if isinstance(timeout, (int, float)) else None

    def options(self) -> dict[str, object] | None:
        """Returns the options for the next connection; None if the time is up."""
        if self._deadline is None:
            return self._options
        left = self._deadline - self._now()
        return {**self._options, "timeout": left} if left > 0 else None

    def received(self, cursor: str) -> None:
        """Stores the cursor of the last event."""
        self._options["cursor"] = cursor
        self._failures = 0

    def delay_after(self, error: MemoirError) -> float:
        """Returns the seconds to wait before the next connection.

        Raises:
            MemoirError: the error itself, if a new connection would not fix it.
        """
        if self._deadline is not None and error.code == "DEADLINE_EXCEEDED":
            return 0.0
        if not _is_transient(error):
            raise error
        self._failures += 1
        return self._policy.backoff(self._failures, error)
