"""Changing single memories that are there, once per request id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from server.domain.memory import Memory
from server.domain.values import Vector
from server.ports.memory_store import Call, Removal, StoredCall


@dataclass(frozen=True, slots=True)
class Amendment:
    """The whole next state of a memory; its version is one more than that which it was decided on.

    `embedding` None keeps the stored one.
    """

    memory: Memory
    digest: bytes
    embedding: Vector | None


class MemoryChanges(Protocol):
    """Changes of one memory each, with the call, its history and the outbox in one transaction.

    Every method works within the call's project and raises StoreUnavailable where PostgreSQL cannot
    be reached or refuses work.
    """

    async def amend(self, call: Call, amendment: Amendment) -> int:
        """Stores the next state of a memory and answers the position of the change.

        An expired memory that is in the way makes way.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory is not in the state that the change was decided on.
            MemoryDuplicate: another memory of the scope has this digest.
        """
        ...

    async def remove(self, call: Call, removal: Removal) -> int:
        """Deletes a memory and answers the position of the change.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory is not in the state that the removal was decided on.
        """
        ...

    async def claim_batch(self, batch: Call) -> frozenset[int]:
        """Takes the batch's `request_id`, and answers which of its items are done already.

        Raises:
            RequestIdReused: it came before with another payload.
        """
        ...

    async def find_change(self, project_id: str, request_id: UUID, item: int) -> StoredCall | None:
        """The call, or item of a batch, that came with `request_id` before, if it did anything."""
        ...
