"""Lists the scopes of a project, deletes memories of scopes, and erases whole scopes."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from server.core.clock import Clock
from server.core.errors import FieldViolation, InvalidRequest, ScopeNotFound
from server.core.values import Page, page_of
from server.memories.change.effects import new_call
from server.memories.filters.filter import Filter
from server.memories.memory import today
from server.memories.ports import MemoryStore
from server.memories.scope import Scope, ScopeKind, ScopeSummary, StoredDeletion
from server.operations.idempotency import RequestKey, once


async def earlier_deletion(
    store: MemoryStore, project_id: str, key: RequestKey
) -> StoredDeletion | None:
    """Returns the stored deletion of an earlier call with this key, if there is one.

    Raises:
        RequestIdReused: the key was used with another payload.
    """
    deletion = await store.find_deletion(project_id, key.id, key.item)
    if deletion is not None:
        key.require_same(deletion.payload_digest)
    return deletion


DELETE_MEMORIES = "DeleteMemories"


@dataclass(frozen=True, slots=True)
class DeleteMemoriesCommand:
    """The memories to delete: all that match the scope and the filters; either is required.

    With `erase`, their history is erased too. With `validate_only` nothing is deleted.
    """

    project_id: str
    scope: Scope
    key: RequestKey | None = None
    filters: Filter | None = None
    erase: bool = False
    validate_only: bool = False


class DeleteMemories:
    """Deletes memories, including immutable and expired ones."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, command: DeleteMemoriesCommand) -> StoredDeletion:
        """Deletes and returns the receipt.

        If the `key` was used before, it only returns the stored receipt. With `validate_only`, the
        call is not recorded and the key is ignored.

        Raises:
            InvalidRequest: the scope is empty and there are no filters.
            RequestIdReused: the request id was used before with another payload.
            ConcurrentChange, StoreUnavailable: nothing was deleted.
        """
        if not command.scope.parts() and command.filters is None:
            raise InvalidRequest([FieldViolation("user_id", "name a part of a scope, or filters")])

        key = None if command.validate_only else command.key

        async def delete() -> StoredDeletion:
            call = new_call(
                command.project_id, command.scope, DELETE_MEMORIES, self._clock.now(), key
            )
            return await self._store.delete_memories(
                call, command.filters, erase=command.erase, validate_only=command.validate_only
            )

        earlier = partial(earlier_deletion, self._store, command.project_id)
        return await once(key, earlier, delete)


DELETE_SCOPE = "DeleteScope"


@dataclass(frozen=True, slots=True)
class DeleteScopeCommand:
    """The scope to erase."""

    project_id: str
    kind: ScopeKind
    scope_id: str
    key: RequestKey | None = None


class DeleteScope:
    """Deletes the memories, history, messages and calls of a scope, also from the graph.

    Only the record of this deletion stays, with its receipt but without the scope's id.
    """

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, command: DeleteScopeCommand) -> StoredDeletion:
        """Deletes and returns the receipt.

        If the `key` was used before, it only returns the stored receipt.

        Raises:
            ScopeNotFound: nothing is stored about the scope.
            RequestIdReused: the request id was used before with another payload.
            ConcurrentChange, StoreUnavailable: nothing was deleted.
        """

        async def delete() -> StoredDeletion:
            call = new_call(
                command.project_id, Scope(), DELETE_SCOPE, self._clock.now(), command.key
            )
            deletion = await self._store.erase_scope(call, command.kind, command.scope_id)
            if deletion is None:
                raise ScopeNotFound
            return deletion

        earlier = partial(earlier_deletion, self._store, command.project_id)
        return await once(command.key, earlier, delete)


@dataclass(frozen=True, slots=True)
class ScopeCursor:
    """The last scope of the previous page."""

    kind: ScopeKind
    id: str


@dataclass(frozen=True, slots=True)
class ListScopesCommand:
    """The kind of scopes, None for all, and the end of the previous page (`after`)."""

    project_id: str
    page_size: int
    kind: ScopeKind | None = None
    after: ScopeCursor | None = None


class ListScopes:
    """Reads scopes page by page, by kind and id."""

    def __init__(self, store: MemoryStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, command: ListScopesCommand) -> Page[ScopeSummary, ScopeCursor]:
        """Returns one page.

        Raises:
            StoreUnavailable: the scopes cannot be read.
        """
        limit = command.page_size + 1
        visible_on = today(self._clock.now())
        found: list[ScopeSummary] = []
        for kind, after_id in _kinds_from(command):
            if len(found) < limit:
                found += await self._store.list_scopes(
                    command.project_id, kind, after_id, limit - len(found), visible_on
                )
        return page_of(found, command.page_size, lambda scope: ScopeCursor(scope.kind, scope.id))


def _kinds_from(command: ListScopesCommand) -> list[tuple[ScopeKind, str]]:
    """Returns the kinds still to be listed, each with the id to start after."""
    kinds = [command.kind] if command.kind else list(ScopeKind)
    after = command.after
    if after is None:
        return [(kind, "") for kind in kinds]
    remaining = kinds[kinds.index(after.kind) :] if after.kind in kinds else []
    return [(kind, after.id if kind is after.kind else "") for kind in remaining]
