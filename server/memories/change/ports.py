"""Changing and deleting memories that are there, one by one or a scope at once."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol
from uuid import UUID

from server.core.values import Vector
from server.memories.filters.filter import Filter
from server.memories.memory import Memory
from server.memories.ports import Call, MemoryDeletion, StoredCall
from server.memories.scope import ScopeKind, ScopeSummary, StoredDeletion


@dataclass(frozen=True, slots=True)
class FieldUpdate:
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

    async def update(self, call: Call, update: FieldUpdate) -> int:
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

    async def delete(self, call: Call, removal: MemoryDeletion) -> StoredDeletion:
        """Deletes a memory; its history stays.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory is not in the state that the removal was decided on.
        """
        ...

    async def erase(self, call: Call, removal: MemoryDeletion) -> StoredDeletion:
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


class ScopeStore(Protocol):
    """Sets of memories of one project.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached or refuses work.
    """

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        """Those that have memories, by id, after `after_id`; "" is before all."""
        ...

    async def delete_memories(
        self,
        call: Call,
        filters: Filter | None = None,
        *,
        erase: bool = False,
        validate_only: bool = False,
    ) -> StoredDeletion:
        """Deletes every memory that matches the call's scope and the filters, from the graph too.

        The history of the memories and the messages they came from stay, unless `erase` is true.
        With `validate_only` nothing is deleted or recorded: the receipt says what would be.

        Raises:
            ValueError: the scope names nothing and there are no filters.
            RequestIdReused: the call's `request_id` is taken; nothing was deleted.
            ConcurrentChange: other calls changed the same memories; nothing was deleted.
        """
        ...

    async def erase(self, call: Call, kind: ScopeKind, scope_id: str) -> StoredDeletion | None:
        """Deletes everything kept about a user, agent, app or run; None if there is nothing.

        The graph follows by the outbox. The call itself is kept, and names no scope.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was deleted.
            ConcurrentChange: other calls changed the same memories; nothing was deleted.
        """
        ...

    async def find_deletion(self, project_id: str, request_id: UUID) -> StoredDeletion | None:
        """What the call with this `request_id` did before; an empty receipt for other methods'."""
        ...
