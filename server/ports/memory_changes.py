"""Changing single memories that are there, once per request id."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from server.domain.memory import Memory
from server.domain.scope_kinds import StoredDeletion
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


@dataclass(frozen=True, slots=True)
class Restoration:
    """The state that a memory comes back to, whether it is present or deleted at this moment.

    It is that of `from_version`; the version of `memory` is one more than the newest that the
    restoration was decided on.
    """

    memory: Memory
    from_version: int
    digest: bytes
    embedding: Vector


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

    async def restore(self, call: Call, restoration: Restoration) -> int:
        """Brings a memory back to a state and answers the position of the change.

        An expired memory that is in the way makes way.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has had another version since, or is immutable.
            MemoryDuplicate: another memory of the scope has this digest.
        """
        ...

    async def remove(self, call: Call, removal: Removal) -> StoredDeletion:
        """Deletes a memory; its history stays.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory is not in the state that the removal was decided on.
        """
        ...

    async def erase(self, call: Call, removal: Removal) -> StoredDeletion:
        """Deletes a memory, or one that is deleted already, with all that history keeps of it.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the removal was not decided on the newest version.
        """
        ...

    async def find_deletion(
        self, project_id: str, request_id: UUID, item: int
    ) -> StoredDeletion | None:
        """What the deletion, or item of a batch, that came with `request_id` before did.

        An empty receipt for calls of other methods.
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
