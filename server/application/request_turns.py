"""Letting a repeated call wait for the first one with its request id."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

from server.application.once import RequestKey
from server.application.scope_turns import ScopeTurns


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
    """What a request id is called among the leases: never the key of a scope."""
    return hashlib.sha256(b"request_id:" + request_id.bytes).digest()


class InTurn(Generic[C, R]):
    """A use case of which calls with one request id run one after another, on all servers.

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
