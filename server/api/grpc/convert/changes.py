"""Converts requests that change memories or whole scopes to commands, and outcomes to responses."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import date
from uuid import UUID

from google.protobuf.message import Message
from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.memories import memory_message
from server.api.grpc.convert.tokens import ProjectTokens, consistency_token, fits, fitting_count
from server.api.grpc.convert.values import from_struct, to_timestamp
from server.api.grpc.large_messages import item_fields, outline
from server.api.grpc.status import to_status
from server.core.errors import MemoirError
from server.core.values import MAX_ITEMS_BYTES
from server.memories.change.batches import BatchDeleteCommand, BatchUpdateCommand
from server.memories.change.deletion import DeleteMemoryCommand
from server.memories.change.effects import FieldChanges, MemoryField
from server.memories.change.update_memory import (
    UpdatedMemory,
    UpdateMemoryCommand,
)
from server.memories.conversation import without_nul
from server.memories.scope import DeletionReceipt, ScopeKind, ScopeSummary, StoredDeletion
from server.operations.idempotency import RequestKey
from server.projects.project import Caller


def request_key(request: Message, request_id: str) -> RequestKey | None:
    """Returns the key of a request that has a `request_id`.

    The type is part of the digest, because requests of two methods can have the same bytes.
    """
    if not request_id:
        return None
    digest = hashlib.sha256(request.DESCRIPTOR.full_name.encode())
    digest.update(b"\0" + outline(request).SerializeToString(deterministic=True))
    for _, _, items in item_fields(request):
        for item in items:
            raw = item.SerializeToString(deterministic=True)
            digest.update(len(raw).to_bytes(8) + raw)
    return RequestKey(UUID(request_id), digest.digest())


def update_command(
    request: memory_service_pb2.UpdateMemoryRequest, caller: Caller
) -> UpdateMemoryCommand:
    """Converts an update of a memory."""
    return UpdateMemoryCommand(
        project_id=caller.project_id,
        memory_id=UUID(request.id),
        changes=_changes(request),
        etag=request.etag if request.HasField("etag") else None,
        key=request_key(request, request.request_id),
        within=caller.scope,
    )


def _changes(request: memory_service_pb2.UpdateMemoryRequest) -> FieldChanges:
    changes = request.changes
    day = changes.expiration_date
    return FieldChanges(
        fields=frozenset(map(MemoryField, request.update_mask.paths)),
        text=without_nul(changes.text),
        metadata=from_struct(changes.metadata),
        categories=tuple(dict.fromkeys(map(without_nul, changes.categories))),
        expiration_date=date.fromisoformat(day) if day else None,
    )


def delete_command(
    request: memory_service_pb2.DeleteMemoryRequest, caller: Caller
) -> DeleteMemoryCommand:
    """Converts a deletion of a memory."""
    return DeleteMemoryCommand(
        project_id=caller.project_id,
        memory_id=UUID(request.id),
        etag=request.etag if request.HasField("etag") else None,
        key=request_key(request, request.request_id),
        erase=erases(request.erasure_mode),
        within=caller.scope,
    )


def erases(mode: memory_service_pb2.ErasureMode.ValueType) -> bool:
    """Whether a deletion leaves no history."""
    return mode == memory_service_pb2.ERASURE_MODE_ERASE


def batch_update_command(
    request: memory_service_pb2.BatchUpdateMemoriesRequest, caller: Caller
) -> BatchUpdateCommand:
    """Converts a batch of updates."""
    return BatchUpdateCommand(
        project_id=caller.project_id,
        items=[update_command(item, caller) for item in request.requests],
        key=request_key(request, request.request_id),
    )


def batch_delete_command(
    request: memory_service_pb2.BatchDeleteMemoriesRequest, caller: Caller
) -> BatchDeleteCommand:
    """Converts a batch of deletions."""
    return BatchDeleteCommand(
        project_id=caller.project_id,
        items=[delete_command(item, caller) for item in request.requests],
        key=request_key(request, request.request_id),
    )


KINDS = {
    memory_service_pb2.SCOPE_KIND_USER: ScopeKind.USER,
    memory_service_pb2.SCOPE_KIND_AGENT: ScopeKind.AGENT,
    memory_service_pb2.SCOPE_KIND_APP: ScopeKind.APP,
    memory_service_pb2.SCOPE_KIND_RUN: ScopeKind.RUN,
}
_KIND_VALUES = {kind: value for value, kind in KINDS.items()}


def scope_message(
    summary: ScopeSummary,
) -> memory_service_pb2.ListScopesResponse.ScopeSummary:
    """Returns a scope as clients see it."""
    return memory_service_pb2.ListScopesResponse.ScopeSummary(
        kind=_KIND_VALUES[summary.kind],
        id=summary.id,
        memory_count=summary.memory_count,
        last_activity_time=to_timestamp(summary.last_activity_time),
    )


def receipt_message(receipt: DeletionReceipt) -> memory_service_pb2.DeletionReceipt:
    """Returns a receipt as clients see it."""
    return memory_service_pb2.DeletionReceipt(
        memories=receipt.memories,
        messages=receipt.messages,
        events=receipt.events,
        graph_memories=receipt.graph_memories,
        redacted_messages=receipt.redacted_messages,
        retained_messages=receipt.retained_messages,
        passages=receipt.passages,
    )


# More than the size of a result with an error, or with only id, version and etag of a memory.
_BARE_RESULT_BYTES = 2048


def batch_update_response(
    outcomes: Sequence[UpdatedMemory | MemoirError], correlation_id: str, tokens: ProjectTokens
) -> memory_service_pb2.BatchUpdateMemoriesResponse:
    """Returns a result for each item. If not all fit, the last memories have no content."""
    results = [_update_result(outcome, correlation_id) for outcome in outcomes]
    response = memory_service_pb2.BatchUpdateMemoriesResponse(
        results=results,
        consistency_token=_token(
            tokens, (o.position for o in outcomes if isinstance(o, UpdatedMemory))
        ),
    )
    if not fits(response):
        whole = fitting_count(results, MAX_ITEMS_BYTES - len(results) * _BARE_RESULT_BYTES)
        for result in response.results[whole:]:
            if result.HasField("memory"):
                result.memory.CopyFrom(_bare(result.memory))
    return response


def _bare(memory: memory_pb2.Memory) -> memory_pb2.Memory:
    return memory_pb2.Memory(id=memory.id, version=memory.version, etag=memory.etag)


def _update_result(
    outcome: UpdatedMemory | MemoirError, correlation_id: str
) -> memory_service_pb2.BatchUpdateMemoriesResponse.Result:
    if isinstance(outcome, MemoirError):
        error = to_status(outcome, correlation_id)
        return memory_service_pb2.BatchUpdateMemoriesResponse.Result(error=error)
    memory = memory_message(outcome.memory)
    return memory_service_pb2.BatchUpdateMemoriesResponse.Result(memory=memory)


def batch_delete_response(
    command: BatchDeleteCommand,
    outcomes: Sequence[StoredDeletion | MemoirError],
    correlation_id: str,
    tokens: ProjectTokens,
) -> memory_service_pb2.BatchDeleteMemoriesResponse:
    """Returns a result for each item."""
    return memory_service_pb2.BatchDeleteMemoriesResponse(
        results=[
            _delete_result(str(item.memory_id), outcome, correlation_id)
            for item, outcome in zip(command.items, outcomes, strict=True)
        ],
        consistency_token=_token(
            tokens, (o.position for o in outcomes if isinstance(o, StoredDeletion))
        ),
    )


def _delete_result(
    memory_id: str, outcome: StoredDeletion | MemoirError, correlation_id: str
) -> memory_service_pb2.BatchDeleteMemoriesResponse.Result:
    if isinstance(outcome, MemoirError):
        error = to_status(outcome, correlation_id)
        return memory_service_pb2.BatchDeleteMemoriesResponse.Result(id=memory_id, error=error)
    return memory_service_pb2.BatchDeleteMemoriesResponse.Result(
        id=memory_id, receipt=receipt_message(outcome.receipt)
    )


def _token(tokens: ProjectTokens, positions: Iterable[int]) -> str:
    """Returns the token of the latest change; without changes, a token that never waits."""
    return consistency_token(tokens, max(positions, default=0))
