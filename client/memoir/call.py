"""One call, as both clients make it: its method, its request, and how to read its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    """One call: `timeout` in seconds, or None for the client's own."""

    method: str
    request: ProtoMessage
    response_type: type[Any]
    read: Callable[[Any], T]
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list's items, and the token of the next page; empty on the last one."""

    items: Sequence[T]
    next_page_token: str


def make_call(
    method: str,
    request_type: type[RequestT],
    response_type: type[ResponseT],
    read: Callable[[ResponseT], T],
    fields: Mapping[str, object],
) -> Call[T]:
    """A call of these fields, of which `timeout` is no part of the request.

    Raises:
        TypeError, ValueError: the request has no such field, or a value is of another type.
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
    raise ValueError("timeout is a positive number of seconds")


def as_write(fields: Mapping[str, object]) -> dict[str, object]:
    """The fields of a write, with a request id that makes repeating it safe."""
    return {"request_id": str(uuid4()), **fields}
