"""Converts validated requests to commands."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Protocol
from uuid import UUID

from google.protobuf.message import Message as ProtoMessage
from memoir.v1 import memory_pb2, memory_service_pb2
from pydantic import TypeAdapter

from server.api.grpc.convert.tokens import ProjectTokens, read_consistency_token, read_page_token
from server.api.grpc.convert.values import from_struct, from_timestamp
from server.memories.add.add_memories import AddMemoriesCommand
from server.memories.add.inference import Category
from server.memories.conversation import Message, Role, without_nul
from server.memories.filters.filter import Filter
from server.memories.filters.parser import parse_filter
from server.memories.memory import ListCursor, ListOrder
from server.memories.passages import EVERY_SOURCE, Source
from server.memories.scope import SCOPE_FIELDS, Scope
from server.memories.search.read_memories import ListMemoriesCommand
from server.memories.search.search_memories import DEFAULT_TOP_K, SearchMemoriesCommand
from server.operations.operation import OperationLease

DEFAULT_PAGE_SIZE = 50
_CURSORS = TypeAdapter(ListCursor)
_SOURCES = {
    memory_service_pb2.SEARCH_SOURCE_MEMORIES: Source.MEMORIES,
    memory_service_pb2.SEARCH_SOURCE_PASSAGES: Source.PASSAGES,
}


class _HasScope(Protocol):
    @property
    def user_id(self) -> str: ...
    @property
    def agent_id(self) -> str: ...
    @property
    def app_id(self) -> str: ...
    @property
    def run_id(self) -> str: ...


def scope_of(request: _HasScope) -> Scope:
    """Returns the scope in a request. Validation refuses empty parts."""
    return Scope(**{field: getattr(request, field) or None for field in SCOPE_FIELDS})


def instant(request: ProtoMessage, field: str) -> datetime | None:
    """Returns the instant in an optional field; None if it is absent."""
    return from_timestamp(getattr(request, field)) if request.HasField(field) else None


def filters_of(
    request: memory_service_pb2.SearchMemoriesRequest
    | memory_service_pb2.ListMemoriesRequest
    | memory_service_pb2.DeleteMemoriesRequest,
) -> Filter | None:
    """Returns the filter of a request, if it has one.

    Raises:
        InvalidRequest: it is not a valid filter.
    """
    return parse_filter(from_struct(request.filters)) if request.HasField("filters") else None


def add_command(
    request: memory_service_pb2.AddMemoriesRequest, project_id: str
) -> AddMemoriesCommand:
    """Converts an add."""
    raw = add_payload(request) if request.HasField("request_id") else b""
    return AddMemoriesCommand(
        project_id=project_id,
        scope=scope_of(request),
        messages=[_message(message) for message in request.messages],
        metadata=from_struct(request.metadata),
        infer=request.infer if request.HasField("infer") else True,
        immutable=request.immutable,
        event_time=_event_time(request),
        expiration_date=_expiration_date(request),
        with_context=request.version == "v2",
        includes=_text(request.includes),
        excludes=_text(request.excludes),
        categories=[Category(c.name, c.description) for c in request.custom_categories],
        instructions=_text(request.custom_instructions),
        request_id=UUID(request.request_id) if request.request_id else None,
        payload_digest=hashlib.sha256(raw).digest() if raw else b"",
    )


def add_payload(request: memory_service_pb2.AddMemoriesRequest) -> bytes:
    """Encodes the request, identically whether it is done now or later."""
    payload = memory_service_pb2.AddMemoriesRequest()
    payload.CopyFrom(request)
    payload.ClearField("async_mode")
    return payload.SerializeToString(deterministic=True)


def accepted_command(
    payload: bytes, project_id: str, accept_time: datetime, lease: OperationLease
) -> AddMemoriesCommand:
    """Converts an asynchronous add, whose "now" is the time at which it was accepted."""
    request = memory_service_pb2.AddMemoriesRequest.FromString(payload)
    command = add_command(request, project_id)
    return replace(command, event_time=command.event_time or accept_time, operation=lease)


def _message(message: memory_pb2.Message) -> Message:
    return Message(
        role=Role(message.role),
        content=message.content if message.HasField("content") else None,
        name=message.name or None,
    )


def _text(value: str) -> str | None:
    return without_nul(value) or None


def _event_time(request: memory_service_pb2.AddMemoriesRequest) -> datetime | None:
    if not request.HasField("timestamp"):
        return None
    return datetime.fromtimestamp(request.timestamp, UTC)


def _expiration_date(request: memory_service_pb2.AddMemoriesRequest) -> date | None:
    return date.fromisoformat(request.expiration_date) if request.expiration_date else None


def search_command(
    request: memory_service_pb2.SearchMemoriesRequest, tokens: ProjectTokens
) -> SearchMemoriesCommand:
    """Converts a search.

    Raises:
        InvalidRequest: the filter or the consistency token is not valid.
    """
    return SearchMemoriesCommand(
        project_id=tokens.project_id,
        scope=scope_of(request),
        query=without_nul(request.query),
        top_k=request.top_k if request.HasField("top_k") else DEFAULT_TOP_K,
        threshold=request.threshold if request.HasField("threshold") else None,
        categories=tuple(request.categories),
        show_expired=request.show_expired,
        filters=filters_of(request),
        rerank=request.rerank,
        with_relations=request.include_relations,
        position=read_consistency_token(tokens, request.consistency_token),
        as_of=instant(request, "as_of"),
        sources=frozenset(_SOURCES[source] for source in request.sources) or EVERY_SOURCE,
        reference_time=instant(request, "reference_time"),
        explain=request.explain,
        latest_only=request.latest_only,
    )


def list_command(
    request: memory_service_pb2.ListMemoriesRequest, tokens: ProjectTokens
) -> ListMemoriesCommand:
    """Converts a request for a list of memories.

    Raises:
        InvalidRequest: the page token belongs to another request, or the filter is not valid.
    """
    return ListMemoriesCommand(
        project_id=tokens.project_id,
        scope=scope_of(request),
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
        order=ListOrder(request.order_by or ListOrder.NEWEST_FIRST),
        after=read_page_token(tokens, request, request.page_token, _CURSORS),
        show_expired=request.show_expired,
        filters=filters_of(request),
        as_of=instant(request, "as_of"),
    )
