"""Requests about whole scopes, and what they answer."""

from __future__ import annotations

from memoir.v1 import memory_service_pb2

from server.application.delete_memories import DeleteMemoriesCommand
from server.application.delete_scope import DeleteScopeCommand
from server.application.list_scopes import ListScopesCommand, ScopeCursor
from server.domain.scope_kinds import DeletionReceipt, ScopeKind, ScopeSummary
from server.transport.convert.life import erases, request_key
from server.transport.convert.requests import DEFAULT_PAGE_SIZE, filters_of, scope_of
from server.transport.convert.tokens import read_scope_page_token
from server.transport.convert.values import to_timestamp

KINDS = {
    memory_service_pb2.SCOPE_KIND_USER: ScopeKind.USER,
    memory_service_pb2.SCOPE_KIND_AGENT: ScopeKind.AGENT,
    memory_service_pb2.SCOPE_KIND_APP: ScopeKind.APP,
    memory_service_pb2.SCOPE_KIND_RUN: ScopeKind.RUN,
}
_KIND_VALUES = {kind: value for value, kind in KINDS.items()}


def delete_memories_command(
    request: memory_service_pb2.DeleteMemoriesRequest, project_id: str
) -> DeleteMemoriesCommand:
    """DeleteMemories."""
    return DeleteMemoriesCommand(
        project_id=project_id,
        scope=scope_of(request),
        key=request_key(request, request.request_id),
        filters=filters_of(request),
        erase=erases(request.erasure_mode),
        validate_only=request.validate_only,
    )


def delete_scope_command(
    request: memory_service_pb2.DeleteScopeRequest, project_id: str
) -> DeleteScopeCommand:
    """DeleteScope."""
    return DeleteScopeCommand(
        project_id=project_id,
        kind=KINDS[request.kind],
        scope_id=request.id,
        key=request_key(request, request.request_id),
    )


def list_scopes_command(
    request: memory_service_pb2.ListScopesRequest, project_id: str
) -> ListScopesCommand:
    """ListScopes.

    Raises:
        InvalidRequest: the page token is not one of this request.
    """
    after = read_scope_page_token(request, request.page_token)
    return ListScopesCommand(
        project_id=project_id,
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
        kind=KINDS.get(request.kind),
        after=ScopeCursor(*after) if after else None,
    )


def scope_message(
    summary: ScopeSummary,
) -> memory_service_pb2.ListScopesResponse.ScopeSummary:
    """A scope as clients see it."""
    return memory_service_pb2.ListScopesResponse.ScopeSummary(
        kind=_KIND_VALUES[summary.kind],
        id=summary.id,
        memory_count=summary.memory_count,
        last_activity_time=to_timestamp(summary.last_activity_time),
    )


def receipt_message(receipt: DeletionReceipt) -> memory_service_pb2.DeletionReceipt:
    """A receipt as clients see it."""
    return memory_service_pb2.DeletionReceipt(
        memories=receipt.memories,
        messages=receipt.messages,
        events=receipt.events,
        graph_memories=receipt.graph_memories,
        redacted_messages=receipt.redacted_messages,
        retained_messages=receipt.retained_messages,
        passages=receipt.passages,
    )
