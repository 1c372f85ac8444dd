"""What both clients send along with every call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

DEFAULT_TIMEOUT = 30.0
"""Seconds that a call may take, with all that is tried again."""

_correlation_id: ContextVar[str | None] = ContextVar("memoir_correlation_id", default=None)


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Sends this `x-correlation-id` with every call inside the block.

    It is on every log line, span, event and operation that the calls lead to.
    """
    token = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(token)


def metadata(api_key: str) -> tuple[tuple[str, str], ...]:
    """The metadata of a call."""
    current = _correlation_id.get()
    traced = (("x-correlation-id", current),) if current else ()
    return (("authorization", f"Token {api_key}"), *traced)
