"""The exceptions for conditions that pass: the same call can succeed later.

MemoirError
└── Retryable ── ModelUnavailable, ModelQuotaExhausted, StoreUnavailable, GraphUnavailable,
                 GraphBehind, Overloaded, RateLimited, QuotaInUse, ShuttingDown
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from server.core.errors import MemoirError


class Retryable(MemoirError):
    """A transient condition; the same call can succeed after `retry_after`."""

    def __init__(
        self,
        message: str,
        retry_after: timedelta = timedelta(seconds=1),
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, metadata)
        self.retry_after = retry_after


class ModelUnavailable(Retryable):
    """The model provider is unreachable, overloaded or failing."""

    def __init__(self, model: str, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__(
            "the model provider is unavailable; nothing was stored; send the call again later",
            retry_after,
            {"model": model},
        )


class ModelQuotaExhausted(Retryable):
    """The model provider's quota is used up for now."""

    def __init__(self, model: str, retry_after: timedelta = timedelta(seconds=30)) -> None:
        super().__init__(
            "the model provider's quota is used up; nothing was stored; send the call again later",
            retry_after,
            {"model": model},
        )


class StoreUnavailable(Retryable):
    """PostgreSQL cannot be reached or refuses work."""

    def __init__(self) -> None:
        super().__init__("the memory store is unavailable; try again later")


class GraphUnavailable(Retryable):
    """Neo4j cannot be reached or does not answer in time.

    `is_starting` is true if this server started a moment ago and Neo4j has not answered yet.
    """

    def __init__(self, *, is_starting: bool = False) -> None:
        state = "starting" if is_starting else "unavailable"
        super().__init__(
            f"the graph is {state}; send the call again later; memories and searches still work",
            timedelta(seconds=2 if is_starting else 1),
        )


class GraphBehind(Retryable):
    """The graph did not catch up with a consistency token in time."""

    def __init__(self) -> None:
        super().__init__(
            "the graph has not caught up with this consistency_token yet; send the call again later"
        )


class Overloaded(Retryable):
    """The server is overloaded."""

    def __init__(self, retry_after: timedelta = timedelta(seconds=1)) -> None:
        super().__init__("the server is overloaded; send the call again later", retry_after)


class RateLimited(Retryable):
    """The project exceeds its rate."""

    def __init__(self, retry_after: timedelta) -> None:
        super().__init__(
            "the project sends more calls than its rate allows; send them more slowly", retry_after
        )


class QuotaInUse(Retryable):
    """The project has reached the quota `quota` of its calls."""

    def __init__(self, quota: str, limit: int, retry_after: timedelta) -> None:
        self.quota = quota
        super().__init__(
            f"the project's quota of {limit} {quota} is in use; send the call again later",
            retry_after,
            {"quota": quota, "limit": str(limit)},
        )


class ShuttingDown(Retryable):
    """The server is stopping and accepts no new calls."""

    def __init__(self) -> None:
        super().__init__(
            "the server is shutting down; send the call again, to another server if there is one"
        )
