"""Builds the calls that change memories by hand, in bulk or after expiry."""

from __future__ import annotations

from datetime import datetime

from server.core.clock import new_id
from server.core.request_context import current_origin, current_request
from server.memories.ports import Call
from server.memories.scope import Scope
from server.operations.idempotency import RequestKey


def new_call(
    project_id: str,
    scope: Scope,
    method: str,
    now: datetime,
    key: RequestKey | None = None,
    embedding_model: str = "",
) -> Call:
    """Returns a call of the current request, with a new id, that uses no language model.

    `embedding_model` is empty if the call embeds no text.
    """
    return Call(
        id=new_id(now),
        project_id=project_id,
        scope=scope,
        method=method,
        time=now,
        correlation_id=current_request().correlation_id,
        traceparent=current_request().traceparent,
        origin=current_origin(),
        embedding_model=embedding_model,
        request_id=key.id if key else None,
        payload_digest=key.digest if key else b"",
        item=key.item if key else 0,
    )
