"""Whole scopes: listing and deleting them."""

from __future__ import annotations

from datetime import date
from typing import Protocol
from uuid import UUID

from server.domain.filters import Filter
from server.domain.scope_kinds import ScopeKind, ScopeSummary, StoredDeletion
from server.ports.memory_store import Call


class ScopeStore(Protocol):
    """Sets of memories of one project.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached or refuses work.
    """

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        """Those that have memories, by id, after `after_id`; "" is before all."""
        ...

    async def remove_memories(
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
