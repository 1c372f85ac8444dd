"""Deleting everything that is kept about one user, agent, app or run."""

from __future__ import annotations

from dataclasses import dataclass

from server.application.calls import new_call
from server.application.once import RequestKey, once
from server.application.scope_deletions import earlier_deletion
from server.domain.errors import ScopeNotFound
from server.domain.scope import Scope
from server.domain.scope_kinds import ScopeKind, StoredDeletion
from server.ports.clock import Clock
from server.ports.scope_store import ScopeStore

METHOD = "DeleteScope"


@dataclass(frozen=True, slots=True)
class DeleteScopeCommand:
    """Whom to forget."""

    project_id: str
    kind: ScopeKind
    scope_id: str
    key: RequestKey | None = None


class DeleteScope:
    """Deletes memories, history, messages and calls; the graph follows.

    What stays is the call that deleted, with its receipt and without the id.
    """

    def __init__(self, scopes: ScopeStore, clock: Clock) -> None:
        self._scopes = scopes
        self._clock = clock

    async def __call__(self, command: DeleteScopeCommand) -> StoredDeletion:
        """Deletes and answers the receipt.

        With a `key` that came before, the stored receipt is answered and nothing is done.

        Raises:
            ScopeNotFound: nothing is kept about it.
            RequestIdReused: the request id came before with another payload.
            ConcurrentChange, StoreUnavailable: nothing was deleted.
        """

        async def earlier(key: RequestKey) -> StoredDeletion | None:
            return await earlier_deletion(self._scopes, command.project_id, key)

        async def delete() -> StoredDeletion:
            call = new_call(command.project_id, Scope(), METHOD, self._clock.now(), command.key)
            deletion = await self._scopes.erase(call, command.kind, command.scope_id)
            if deletion is None:
                raise ScopeNotFound
            return deletion

        return await once(command.key, earlier, delete)
