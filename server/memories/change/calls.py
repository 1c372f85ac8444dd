"""The calls that change memories by hand, in sets, or because their time is over."""

from __future__ import annotations

from datetime import datetime

from server.core.request_context import current_request
from server.core.values import new_id
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
    """A call of the current request, with an id of its own, in which no language model takes part.

    `embedding_model` is empty where the call leaves no text behind.
    """
    return Call(
        id=new_id(now),
        project_id=project_id,
        scope=scope,
        method=method,
        time=now,
        correlation_id=current_request().correlation_id,
        traceparent=current_request().traceparent,
        embedding_model=embedding_model,
        request_id=key.id if key else None,
        payload_digest=key.digest if key else b"",
        item=key.item if key else 0,
    )
