"""Whole scopes in memory, as small as a use case's tests need them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from uuid import UUID

from server.memories.filters.filter import Filter
from server.memories.ports import Call
from server.memories.scope import DeletionReceipt, ScopeKind, ScopeSummary, StoredDeletion
from tests.support.builders import NOW


@dataclass
class FakeScopes:
    """Lists `ids`. A deletion removes one memory; an erasure only what is in `ids`."""

    ids: dict[ScopeKind, list[str]] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        found = sorted(i for i in self.ids.get(kind, []) if i > after_id)
        return [ScopeSummary(kind, i, 1, NOW) for i in found[:limit]]

    async def delete_memories(
        self,
        call: Call,
        filters: Filter | None = None,
        *,
        erase: bool = False,
        validate_only: bool = False,
    ) -> StoredDeletion:
        if validate_only:
            return StoredDeletion(DeletionReceipt(memories=1), 0)
        self.calls.append(call)
        return self._deletion(call)

    async def erase(self, call: Call, kind: ScopeKind, scope_id: str) -> StoredDeletion | None:
        if scope_id not in self.ids.get(kind, []):
            return None
        self.ids[kind].remove(scope_id)
        self.calls.append(call)
        return self._deletion(call)

    async def find_deletion(self, project_id: str, request_id: UUID) -> StoredDeletion | None:
        found = (c for c in self.calls if (c.project_id, c.request_id) == (project_id, request_id))
        return next(map(self._deletion, found), None)

    def _deletion(self, call: Call) -> StoredDeletion:
        position = self.calls.index(call) + 1
        return StoredDeletion(DeletionReceipt(memories=1), position, call.payload_digest)
