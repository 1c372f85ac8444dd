"""One effect for each request id."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from server.core.errors import ConcurrentChange, EtagMismatch, NotFound, RequestIdReused
from server.operations.leases import ScopeTurns

T = TypeVar("T")

# What a rival call of the same intent makes of this one: it was faster, so this one finds its work
# done, the memory changed or gone.
_RIVALS = (RequestIdReused, ConcurrentChange, EtagMismatch, NotFound)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The client's id of one intent. `digest` stands for the payload.

    `item` is the place in a batch, from 1; 0 is a call of its own.
    """

    id: UUID
    digest: bytes
    item: int = 0

    def require_same(self, payload_digest: bytes) -> None:
        """Lets an earlier call with the same payload pass.

        Raises:
            RequestIdReused: the payloads differ.
        """
        if payload_digest != self.digest:
            raise RequestIdReused(self.id)


async def once(
    key: RequestKey | None,
    earlier: Callable[[RequestKey], Awaitable[T | None]],
    act: Callable[[], Awaitable[T]],
) -> T:
    """Acts, or returns the outcome of an earlier call with the key.

    `earlier` finds that answer; it raises RequestIdReused if the payload was another one.
    """
    if key is None:
        return await act()
    answer = await earlier(key)
    if answer is not None:
        return answer
    try:
        return await act()
    except _RIVALS:
        # The same call came twice at once and the other one was faster.
        answer = await earlier(key)
        if answer is None:
            raise
        return answer


class Keyed(Protocol):
    """A command that can carry the key of a request id."""

    @property
    def project_id(self) -> str:
        """The project that the command acts on."""
        ...

    @property
    def key(self) -> RequestKey | None:
        """The client's id of the intent, if it gave one."""
        ...


C = TypeVar("C", bound=Keyed)
R = TypeVar("R")


def request_turn_key(request_id: UUID) -> bytes:
    """The lease key of a request id, distinct from the key of any scope."""
    return hashlib.sha256(b"request_id:" + request_id.bytes).digest()


class SerializedByRequestId(Generic[C, R]):
    """A use case whose calls with one request id run one after another, across servers.

    The later ones then find what the first one answered, instead of doing its work again. That an
    effect happens once does not rest on this but on the unique index of request ids: a lease that
    is lost costs work, no more. One round trip more for a call with a request id; the lease is
    given back after the answer.
    """

    def __init__(
        self,
        act: Callable[[C], Coroutine[Any, Any, R]],
        turns: ScopeTurns,
    ) -> None:
        self._act = act
        self._turns = turns

    def __call__(self, command: C) -> Coroutine[Any, Any, R]:
        """Waits for its turn, within the call's deadline, and acts.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
            DeadlineExceeded: the call's time is up.
        """
        # A call without a request id costs no frame of its own.
        return self._act(command) if command.key is None else self._in_turn(command, command.key)

    async def _in_turn(self, command: C, key: RequestKey) -> R:
        async with self._turns.hold(command.project_id, request_turn_key(key.id)):
            return await self._act(command)
