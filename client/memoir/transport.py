"""The metadata and defaults of every call."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

DEFAULT_TIMEOUT = 30.0
"""The default timeout of a call with all its retries, in seconds."""

_correlation_id: ContextVar[str | None] = ContextVar("memoir_correlation_id", default=None)


@contextmanager
def correlation(correlation_id: str) -> Iterator[None]:
    """Sends this `x-correlation-id` with every call in the block.

    It appears in every log line, span, event and operation of the calls.
    """
    token = _correlation_id.set(correlation_id)
    try:
        yield
    finally:
        _correlation_id.reset(token)


def metadata(api_key: str) -> tuple[tuple[str, str], ...]:
    """Returns the metadata of a call."""
    current = _correlation_id.get()
    traced = (("x-correlation-id", current),) if current else ()
    return (("authorization", f"Token {api_key}"), *traced)
