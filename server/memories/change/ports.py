"""Ports that change and delete existing memories, one at a time or a whole scope at once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Protocol
from uuid import UUID

from server.memories.changes import Call, Deletion, Replacement
from server.memories.filters.filter import Filter
from server.memories.ports import StoredCall
from server.memories.scope import DeletionReceipt, ScopeKind, ScopeSummary, StoredDeletion


class MemoryChanges(Protocol):
    """Changes memories by hand: one at a time, or all of a scope, or all that expired long ago.

    Each change, its call, its history and its outbox rows are one transaction.

    Every method but `purge` works within the call's project. Every method raises StoreUnavailable
    if PostgreSQL cannot be reached or refuses work.
    """

    async def replace(self, call: Call, change: Replacement) -> int:
        """Stores the next state of a memory and returns the position of the change.

        An expired memory that is equal to it is deleted to make room.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has a newer version, or is immutable.
            MemoryDuplicate: another memory of the scope is equal to it.
        """
        ...

    async def delete(self, call: Call, deletion: Deletion) -> StoredDeletion:
        """Deletes a memory; its history stays.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has changed since it was read.
        """
        ...

    async def erase(self, call: Call, deletion: Deletion) -> StoredDeletion:
        """Deletes a memory together with its history, even if it was already deleted.

        Raises:
            RequestIdReused: the call's `request_id` and `item` are taken.
            ConcurrentChange: the memory has changed since it was read.
        """
        ...

    async def find_deletion(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredDeletion | None:
        """Returns the receipt of an earlier deletion, or batch item, with this `request_id`.

        For calls of other methods, the receipt is empty.
        """
        ...

    async def claim_batch(self, batch: Call) -> frozenset[int]:
        """Takes the batch's `request_id`, and returns the numbers of items that are already done.

        Raises:
            RequestIdReused: the id was used before with another payload.
        """
        ...

    async def find_change(self, project_id: str, request_id: UUID, item: int) -> StoredCall | None:
        """Returns the earlier call or batch item with this `request_id`, if it changed anything."""
        ...

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        """Returns scopes of this kind that have memories, by id, after `after_id` ("" for all)."""
        ...

    async def delete_memories(
        self,
        call: Call,
        filters: Filter | None = None,
        *,
        erase: bool = False,
        validate_only: bool = False,
    ) -> StoredDeletion:
        """Deletes every memory that matches the call's scope and the filters, also from the graph.

        The memories' history and source messages stay, unless `erase` is true. With `validate_only`
        nothing is deleted or recorded, and the receipt counts what would be deleted.

        Raises:
            ValueError: the scope is empty and there are no filters.
            RequestIdReused: the call's `request_id` is taken; nothing was deleted.
            ConcurrentChange: other calls changed the same memories; nothing was deleted.
        """
        ...

    async def erase_scope(
        self, call: Call, kind: ScopeKind, scope_id: str
    ) -> StoredDeletion | None:
        """Deletes everything stored about a user, agent, app or run; None if there is nothing.

        The graph is updated through the outbox. The call itself is kept, without naming the scope.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was deleted.
            ConcurrentChange: other calls changed the same memories; nothing was deleted.
        """
        ...

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        """Erases up to `limit` memories of one project whose last day was before this date.

        This covers deleted memories too. Returns None if no memories are due in any project.
        `call_of` creates the call for the project that was found. Several servers may call it at
        once: one of them does the work, the others find nothing to do. A memory that another call
        is changing is left for the next time.

        Raises:
            ConcurrentChange: other calls changed the same memories; nothing was erased.
        """
        ...
