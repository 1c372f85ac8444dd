"""Deleting every memory of a scope, or those that match filters."""

from __future__ import annotations

from dataclasses import dataclass

from server.application.calls import new_call
from server.application.once import RequestKey, once
from server.application.scope_deletions import earlier_deletion
from server.domain.errors import FieldViolation, InvalidRequest
from server.domain.filters import Filter
from server.domain.scope import Scope
from server.domain.scope_kinds import StoredDeletion
from server.ports.clock import Clock
from server.ports.scope_store import ScopeStore

METHOD = "DeleteMemories"


@dataclass(frozen=True, slots=True)
class DeleteMemoriesCommand:
    """Which memories to delete: all that match the scope and the filters, of which one is given.

    With `erase`, what history keeps of them goes too. With `validate_only` nothing is deleted.
    """

    project_id: str
    scope: Scope
    key: RequestKey | None = None
    filters: Filter | None = None
    erase: bool = False
    validate_only: bool = False


class DeleteMemories:
    """Deletes memories, immutable and expired ones too."""

    def __init__(self, scopes: ScopeStore, clock: Clock) -> None:
        self._scopes = scopes
        self._clock = clock

    async def __call__(self, command: DeleteMemoriesCommand) -> StoredDeletion:
        """Deletes and answers the receipt.

        With a `key` that came before, the stored receipt is answered and nothing is done. A call
        that only validates leaves no trace, and takes no notice of the key.

        Raises:
            InvalidRequest: the scope names nothing and there are no filters.
            RequestIdReused: the request id came before with another payload.
            ConcurrentChange, StoreUnavailable: nothing was deleted.
        """
        if not command.scope.parts() and command.filters is None:
            raise InvalidRequest([FieldViolation("user_id", "name a part of a scope, or filters")])

        async def earlier(key: RequestKey) -> StoredDeletion | None:
            return await earlier_deletion(self._scopes, command.project_id, key)

        key = None if command.validate_only else command.key

        async def delete() -> StoredDeletion:
            call = new_call(command.project_id, command.scope, METHOD, self._clock.now(), key)
            return await self._scopes.remove_memories(
                call, command.filters, erase=command.erase, validate_only=command.validate_only
            )

        return await once(key, earlier, delete)
