"""A circuit breaker, which stops calls to a dependency that is down.

While it is closed, calls pass. After several consecutive failures it opens and refuses calls
immediately. After a pause, one trial call is allowed: if it succeeds, the breaker closes; otherwise
it stays open for another pause. (M. Nygard, "Release It!", 2007.)
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Final

import structlog

from server.core.errors import DeadlineExceeded

PATIENCE_SECONDS: Final = 1.0
"""A call that the caller abandons after this many seconds counts as a failure."""

STARTING_SECONDS: Final = 120.0
"""A dependency without an answer for longer than this counts as unavailable, not as starting."""

log: structlog.stdlib.BoundLogger = structlog.get_logger("server.breaker")


class BreakerState(StrEnum):
    """Whether calls pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CircuitBreaker:
    """The breaker of one dependency, in one process, that stays open for `pause` seconds."""

    def __init__(
        self,
        name: str,
        *,
        failures: int = 3,
        pause: float = 2.0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._allowed_failures = failures
        self._pause = pause
        self._monotonic = monotonic
        self._created = monotonic()
        self._has_succeeded = False
        self._failures = 0
        self._opened: float | None = None
        self._trying = False

    @property
    def name(self) -> str:
        """The dependency's name."""
        return self._name

    @property
    def state(self) -> BreakerState:
        """Whether calls pass now."""
        if self._opened is None:
            return BreakerState.CLOSED
        is_pause_over = self._monotonic() - self._opened >= self._pause
        return BreakerState.HALF_OPEN if self._trying or is_pause_over else BreakerState.OPEN

    @property
    def awaits_start(self) -> bool:
        """Whether the dependency may still be starting: it has not answered yet, and the breaker
        was created less than STARTING_SECONDS ago."""
        return not self._has_succeeded and self._monotonic() - self._created < STARTING_SECONDS

    @property
    def refuses(self) -> bool:
        """Whether a call made now would be refused. After the pause, one trial call is allowed."""
        return self.state is BreakerState.OPEN or self._trying

    def admits(self) -> bool:
        """Whether a call may be made. If so, its outcome must be recorded by one of the methods
        below."""
        if self.refuses:
            return False
        self._trying = self.state is BreakerState.HALF_OPEN
        return True

    @contextmanager
    def record_outcome(self, is_failure: Callable[[Exception], bool]) -> Iterator[None]:
        """Records how the admitted call in the block ended.

        An error that `is_failure` rejects counts as an answer. A call that the caller abandoned, by
        cancellation or at a deadline shorter than the dependency's timeout, counts as a failure
        only after a long enough wait; without that rule the breaker might never open.
        """
        began = self._monotonic()
        try:
            yield
        except DeadlineExceeded:
            self._record_abandoned(began)
            raise
        except Exception as error:
            self.failed() if is_failure(error) else self.succeeded()
            raise
        except BaseException:
            self._record_abandoned(began)
            raise
        self.succeeded()

    def succeeded(self) -> None:
        """Records that a call was answered."""
        if self._opened is not None:
            log.info("breaker.closed", dependency=self._name)
        self._has_succeeded = True
        self._failures, self._opened, self._trying = 0, None, False

    def failed(self) -> None:
        """Records that a call was not answered."""
        self._failures += 1
        if self._opened is None and self._failures < self._allowed_failures:
            return
        if self._opened is None:
            log.warning("breaker.opened", dependency=self._name, failures=self._failures)
        self._opened, self._trying = self._monotonic(), False

    def abandoned(self) -> None:
        """Records that the caller gave up early, which is no evidence about the dependency."""
        self._trying = False

    def _record_abandoned(self, began: float) -> None:
        """Counts a call that the caller gave up as a failure, unless it was given up early."""
        if self._monotonic() - began >= PATIENCE_SECONDS:
            self.failed()
        else:
            self.abandoned()
