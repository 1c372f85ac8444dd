"""A call, as both clients make it: its request and metadata, and how to read its response."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import uuid4

from google.protobuf.message import Message as ProtoMessage
from memoir.requests import build

T = TypeVar("T")
RequestT = TypeVar("RequestT", bound=ProtoMessage)
ResponseT = TypeVar("ResponseT", bound=ProtoMessage)


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """A call; `timeout` is in seconds, None means the client's default."""

    method: str
    request: ProtoMessage
    response_type: type[Any]
    read: Callable[[Any], T]
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A page of a list, and the token of the next page, which is empty on the last page."""

    items: Sequence[T]
    next_page_token: str


def make_call(
    method: str,
    request_type: type[RequestT],
    response_type: type[ResponseT],
    read: Callable[[ResponseT], T],
    fields: Mapping[str, object],
) -> Call[T]:
    """Returns a call with these fields; `timeout` is not part of the request.

    Raises:
        TypeError, ValueError: the request has no such field, or a value has the wrong type.
    """
    rest = dict(fields)
    timeout = rest.pop("timeout", None)
    request = build(request_type, rest)
    return Call(method, request, response_type, read, _seconds(timeout))


def _seconds(timeout: object) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, (int, float)) and timeout > 0:
        return float(timeout)
    raise ValueError("timeout must be a positive number of seconds")


def as_write(fields: Mapping[str, object]) -> dict[str, object]:
    """Returns the fields of a write, with a request id that makes repeating it safe."""
    return {"request_id": str(uuid4()), **fields}


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
