"""Ensures one effect for each request id."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from server.core.errors import ConcurrentChange, EtagMismatch, NotFound, RequestIdReused
from server.operations.leases import ScopeTurns

T = TypeVar("T")

# The errors of a call if a concurrent call with the same request id was faster: the work is done,
# and the memory has changed or is gone.
_LOST_RACE = (RequestIdReused, ConcurrentChange, EtagMismatch, NotFound)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The client's id of a call, and the digest of the payload.

    `item` is the place in a batch, from 1; 0 means a single call.
    """

    id: UUID
    digest: bytes
    item: int = 0

    def require_same(self, payload_digest: bytes) -> None:
        """Checks that an earlier call had the same payload.

        Raises:
            RequestIdReused: the payloads differ.
        """
        if payload_digest != self.digest:
            raise RequestIdReused(self.id)


def once(
    key: RequestKey | None,
    earlier: Callable[[RequestKey], Awaitable[T | None]],
    act: Callable[[], Coroutine[Any, Any, T]],
) -> Coroutine[Any, Any, T]:
    """Calls `act`, or returns the outcome of an earlier call with the key.

    `earlier` finds that outcome; it raises RequestIdReused if the payload was different.
    """
    # A call without a key gets no extra coroutine.
    return act() if key is None else _once(key, earlier, act)


async def _once(
    key: RequestKey,
    earlier: Callable[[RequestKey], Awaitable[T | None]],
    act: Callable[[], Coroutine[Any, Any, T]],
) -> T:
    outcome = await earlier(key)
    if outcome is not None:
        return outcome
    try:
        return await act()
    except _LOST_RACE:
        # The same call arrived twice at the same time, and the other one was faster.
        outcome = await earlier(key)
        if outcome is None:
            raise
        return outcome


class Keyed(Protocol):
    """A command that may carry a request key."""

    @property
    def project_id(self) -> str:
        """The project that the command acts on."""
        ...

    @property
    def key(self) -> RequestKey | None:
        """The client's id of the call, if it gave one."""
        ...


C = TypeVar("C", bound=Keyed)
R = TypeVar("R")


def request_turn_key(request_id: UUID) -> bytes:
    """Returns the lease key of a request id, distinct from the key of any scope."""
    return hashlib.sha256(b"request_id:" + request_id.bytes).digest()


class SerializedByRequestId(Generic[C, R]):
    """Wraps a use case so that calls with one request id run one after another, across servers.

    Later calls then find the outcome of the first instead of repeating its work. The unique index
    on request ids, not this class, guarantees that an effect happens once: a lost lease only costs
    repeated work. A call with a request id takes one more round trip; the lease is released after
    the response.
    """

    def __init__(
        self,
        act: Callable[[C], Coroutine[Any, Any, R]],
        turns: ScopeTurns,
    ) -> None:
        self._act = act
        self._turns = turns

    def __call__(self, command: C) -> Coroutine[Any, Any, R]:
        """Waits for its turn, within the call's deadline, and calls the use case.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
            DeadlineExceeded: the call's deadline has passed.
        """
        # A call without a request id gets no extra coroutine.
        return self._act(command) if command.key is None else self._take_turn(command, command.key)

    async def _take_turn(self, command: C, key: RequestKey) -> R:
        async with self._turns.hold(command.project_id, request_turn_key(key.id)):
            return await self._act(command)
