"""A client of Memoir, the memory service for AI agents.

    import memoir

    with memoir.Client("127.0.0.1:50051", api_key="mem_...") as client:
        client.add("I moved to Lisbon", user_id="alice")
        for hit in client.search("where does she live?", user_id="alice"):
            print(hit.text, hit.score)

`AsyncClient` has the same methods as coroutines. Errors are `MemoirError` and its subclasses. The
generated messages and stubs of the contract are in `memoir.v1`.
"""

from __future__ import annotations

from memoir.channels import Tls
from memoir.client import Client, Operation
from memoir.client_async import AsyncClient, AsyncOperation
from memoir.errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    FailedPrecondition,
    Internal,
    InvalidArgument,
    MemoirError,
    NotFound,
    OperationFailed,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    Violation,
)
from memoir.graph import Entity, EntityNeighborhood, Relation
from memoir.memories import EventType, Evidence, Memory, MemoryEvent, Provenance
from memoir.requests import Message
from memoir.results import (
    AddResult,
    ArmScore,
    BatchItem,
    Change,
    DegradedArm,
    Hit,
    Notice,
    OperationState,
    Passage,
    Project,
    Receipt,
    RelationChange,
    ScopeSummary,
    SearchResult,
    Source,
)
from memoir.retries import RetryPolicy

__all__ = [
    "Aborted",
    "AddResult",
    "AlreadyExists",
    "ArmScore",
    "AsyncClient",
    "AsyncOperation",
    "BatchItem",
    "Cancelled",
    "Change",
    "Client",
    "DeadlineExceeded",
    "DegradedArm",
    "Entity",
    "EntityNeighborhood",
    "EventType",
    "Evidence",
    "FailedPrecondition",
    "Hit",
    "Internal",
    "InvalidArgument",
    "MemoirError",
    "Memory",
    "MemoryEvent",
    "Message",
    "NotFound",
    "Notice",
    "Operation",
    "OperationFailed",
    "OperationState",
    "Passage",
    "PermissionDenied",
    "Project",
    "Provenance",
    "Receipt",
    "Relation",
    "RelationChange",
    "ResourceExhausted",
    "RetryPolicy",
    "ScopeSummary",
    "SearchResult",
    "Source",
    "Tls",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Violation",
]
