"""The port that stores memories: what they say and relate, their past, and changes to them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Protocol
from uuid import UUID

from server.core.values import Vector
from server.graph.names import Split
from server.memories.changes import Call, ChangeSet, Deletion, Replacement
from server.memories.conversation import Message
from server.memories.filters.filter import Filter
from server.memories.memory import Memory, MemoryEvent, PastVersion, StreamCursor
from server.memories.passages import Hit
from server.memories.queries import (
    AddInputs,
    AliasCount,
    Committed,
    ListQuery,
    RecallQuery,
    SearchQuery,
    StoredCall,
    StreamPage,
)
from server.memories.scope import DeletionReceipt, Scope, ScopeKind, ScopeSummary, StoredDeletion
from server.memories.search.question_clues import Recollection
from server.operations.ports import ScopeLease


class MemoryStore(Protocol):
    """The source of truth.

    Every method but `purge` and `stream_end` works within one project. Every method raises
    StoreUnavailable if PostgreSQL cannot be reached or refuses work. Each change, its call, its
    history and its outbox rows are one transaction.
    """

    async def commit(self, changes: ChangeSet) -> Committed:
        """Stores a call with its effects, history and outbox rows, durably and in one transaction.

        An added memory whose digest the scope already holds is left out, unless the memory that
        holds it has expired: then the expired memory is deleted. The commit ends the lease and the
        operation of the call, if there are any.

        Raises:
            RequestIdReused: the call's `request_id` is taken; nothing was stored.
            ConcurrentChange: an updated or deleted memory has changed since it was read, an update
                would make it equal to another memory, or the lease of the scope or the operation
                has been taken over; nothing was stored.
        """
        ...

    async def find_call(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredCall | None:
        """Returns the earlier call, or batch item, with this `request_id`, if any."""
        ...

    async def get_call(self, project_id: str, call_id: UUID) -> StoredCall | None:
        """Returns the call with this id, if there is one."""
        ...

    async def begin_add(
        self,
        lease: ScopeLease,
        duration: timedelta,
        vectors: Sequence[Vector],
        limit: int,
        visible_on: date,
    ) -> AddInputs | None:
        """Takes the lease of a scope, as `Leases.acquire`, and reads what the add needs to know.

        The candidates are the memories of exactly this scope that are nearest to any of the
        vectors, at most `limit` for each vector, each memory once, and the nearest first. Returns
        None if another holder has the lease.
        """
        ...

    async def recent_messages(self, project_id: str, scope: Scope, limit: int) -> list[Message]:
        """Returns the last messages of exactly this scope, oldest first."""
        ...

    async def search(self, query: SearchQuery) -> list[Hit]:
        """Returns the best hits, best first. All conditions apply before the limit."""
        ...

    async def get(
        self,
        project_id: str,
        memory_id: UUID,
        visible_on: date | None,
        time: datetime | None = None,
    ) -> Memory | None:
        """Returns the memory if it is visible, or if it was at the past instant `time`."""
        ...

    async def list(self, query: ListQuery) -> list[Memory]:
        """Returns one page."""
        ...

    async def visible(
        self, project_id: str, memory_ids: Sequence[UUID], visible_on: date
    ) -> set[UUID]:
        """Returns the memories that exist and have not expired."""
        ...

    async def recall(self, query: RecallQuery) -> Recollection:
        """Returns everything within two relations of the entities with these names.

        Relations, aliases and counts come only from memories of the scope. Superseded relations are
        not followed.

        Raises:
            ValueError: the scope is empty.
        """
        ...

    async def stated_aliases(
        self, project_id: str, space: str | None = None
    ) -> Sequence[AliasCount]:
        """Returns the aliases that memories of one or all graph spaces state, except split ones."""
        ...

    async def splits(
        self, project_id: str, spaces: Sequence[str] | None, at: datetime
    ) -> Sequence[Split]:
        """Returns the current splits made up to `at`; `spaces` None means all spaces.

        Operators overrule aliases with splits. A split that was undone counts as never made.
        """
        ...

    async def split(self, project_id: str, split: Split) -> int:
        """Stores a split; returns the number of memories that are projected again for it.

        Repeating it projects them again and changes nothing else.
        """
        ...

    async def rejoin(self, project_id: str, split: Split) -> bool:
        """Undoes a split and updates the graph. Returns whether there was one."""
        ...

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

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> Sequence[ScopeSummary]:
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

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> Sequence[MemoryEvent]:
        """Returns the events after the version `after_version` (0 for all), oldest first."""
        ...

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        """Returns the memory at one version, if its history has that version.

        Without a version, returns the last version that is not a deletion.
        """
        ...

    async def stream_end(self) -> StreamCursor:
        """Returns the cursor after all committed events that have no open transaction before them.

        The events of a project have a fixed order: no event appears before one that was read.
        """
        ...

    async def stream(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        """Returns up to `limit` events after a cursor, of the scope or, if empty, the project."""
        ...
