"""What the deletions of many memories have in common."""

from __future__ import annotations

from server.application.once import RequestKey
from server.domain.scope_kinds import StoredDeletion
from server.ports.scope_store import ScopeStore


async def earlier_deletion(
    scopes: ScopeStore, project_id: str, key: RequestKey
) -> StoredDeletion | None:
    """What the call with this key did before.

    Raises:
        RequestIdReused: it came with another payload.
    """
    deletion = await scopes.find_deletion(project_id, key.id)
    if deletion is not None:
        key.require_same(deletion.payload_digest)
    return deletion
