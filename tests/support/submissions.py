"""Submissions of asynchronous adds, and their changes."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from server.core.clock import new_id
from server.memories.changes import ChangeSet
from server.memories.scope import Scope
from server.operations.ports import ClaimedOperation, Submission
from tests.support.builders import ALICE, NOW, PROJECT, addition, call, change_set


def submission(
    scope: Scope = ALICE, *, project_id: str = PROJECT, request_id: UUID | None = None
) -> Submission:
    """Returns an asynchronous add to the scope."""
    return Submission(
        id=new_id(NOW),
        project_id=project_id,
        scope=scope,
        payload=b"payload",
        output_format="v1.1",
        correlation_id="c1",
        request_id=request_id,
        payload_digest=b"digest" if request_id else b"",
    )


def change(claimed: ClaimedOperation) -> ChangeSet:
    """Returns one addition under the operation's lease."""
    new_call = replace(
        call(), id=claimed.lease.operation_id, operation_lease=claimed.lease.lease_id
    )
    return change_set(new_call, [], [addition(new_call, "Alice likes tea")])
