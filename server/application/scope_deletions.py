"""What the deletions of many memories have in common."""

from __future__ import annotations

from datetime import datetime

from server.application.once import RequestKey
from server.domain.identifiers import new_id
from server.domain.request_context import current_request
from server.domain.scope import Scope
from server.domain.scope_kinds import StoredDeletion
from server.ports.memory_store import Call
from server.ports.scope_store import ScopeStore


def deletion_call(
    project_id: str, method: str, scope: Scope, now: datetime, key: RequestKey | None
) -> Call:
    """The call of a deletion; no model takes part."""
    return Call(
        id=new_id(now),
        project_id=project_id,
        scope=scope,
        method=method,
        time=now,
        correlation_id=current_request().correlation_id,
        traceparent=current_request().traceparent,
        embedding_model="",
        request_id=key.id if key else None,
        payload_digest=key.digest if key else b"",
    )


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
