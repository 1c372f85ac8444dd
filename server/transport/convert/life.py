"""Requests that change memories which are there, as the commands of the application."""

from __future__ import annotations

import hashlib
from datetime import date
from uuid import UUID

from google.protobuf.message import Message
from memoir.v1 import memory_service_pb2

from server.application.batch_delete_memories import BatchDeleteCommand
from server.application.batch_update_memories import BatchUpdateCommand
from server.application.delete_memory import DeleteMemoryCommand
from server.application.list_memory_events import ListMemoryEventsCommand
from server.application.once import RequestKey
from server.application.restore_memory import RestoreMemoryCommand
from server.application.update_memory import UpdateMemoryCommand
from server.application.watch_memory_events import WatchMemoryEventsCommand
from server.domain.amendment import FieldChanges, MemoryField
from server.domain.conversation import without_nul
from server.transport.convert.requests import DEFAULT_PAGE_SIZE, scope_of
from server.transport.convert.tokens import read_number_page_token, read_stream_cursor
from server.transport.convert.values import from_struct
from server.transport.large_messages import item_fields, outline


def request_key(request: Message, request_id: str) -> RequestKey | None:
    """The key of a request that has a `request_id`.

    The type goes into the digest too: two methods' requests can be the same bytes.
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
    request: memory_service_pb2.UpdateMemoryRequest, project_id: str
) -> UpdateMemoryCommand:
    """UpdateMemory."""
    return UpdateMemoryCommand(
        project_id=project_id,
        memory_id=UUID(request.id),
        changes=_changes(request),
        etag=request.etag if request.HasField("etag") else None,
        key=request_key(request, request.request_id),
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
    request: memory_service_pb2.DeleteMemoryRequest, project_id: str
) -> DeleteMemoryCommand:
    """DeleteMemory."""
    return DeleteMemoryCommand(
        project_id=project_id,
        memory_id=UUID(request.id),
        etag=request.etag if request.HasField("etag") else None,
        key=request_key(request, request.request_id),
        erase=erases(request.erasure_mode),
    )


def erases(mode: memory_service_pb2.ErasureMode.ValueType) -> bool:
    """Whether a deletion leaves no history."""
    return mode == memory_service_pb2.ERASURE_MODE_ERASE


def restore_command(
    request: memory_service_pb2.RestoreMemoryRequest, project_id: str
) -> RestoreMemoryCommand:
    """RestoreMemory."""
    return RestoreMemoryCommand(
        project_id=project_id,
        memory_id=UUID(request.id),
        version=request.version,
        etag=request.etag if request.HasField("etag") else None,
        key=request_key(request, request.request_id),
    )


def batch_update_command(
    request: memory_service_pb2.BatchUpdateMemoriesRequest, project_id: str
) -> BatchUpdateCommand:
    """BatchUpdateMemories."""
    return BatchUpdateCommand(
        project_id=project_id,
        items=[update_command(item, project_id) for item in request.requests],
        key=request_key(request, request.request_id),
    )


def batch_delete_command(
    request: memory_service_pb2.BatchDeleteMemoriesRequest, project_id: str
) -> BatchDeleteCommand:
    """BatchDeleteMemories."""
    return BatchDeleteCommand(
        project_id=project_id,
        items=[delete_command(item, project_id) for item in request.requests],
        key=request_key(request, request.request_id),
    )


def watch_command(
    request: memory_service_pb2.WatchMemoryEventsRequest, project_id: str
) -> WatchMemoryEventsCommand:
    """WatchMemoryEvents.

    Raises:
        InvalidRequest: the cursor is not one of this service.
    """
    return WatchMemoryEventsCommand(
        project_id=project_id,
        scope=scope_of(request),
        after=read_stream_cursor(request.cursor) if request.cursor else None,
    )


def events_command(
    request: memory_service_pb2.ListMemoryEventsRequest, project_id: str
) -> ListMemoryEventsCommand:
    """ListMemoryEvents.

    Raises:
        InvalidRequest: the page token is not one of this request.
    """
    return ListMemoryEventsCommand(
        project_id=project_id,
        memory_id=UUID(request.id),
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
        after_version=read_number_page_token(request, request.page_token),
    )
