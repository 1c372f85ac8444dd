"""Rules of the contract that the field rules in the .proto cannot express."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import singledispatch
from typing import TypeAlias

from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import graph_service_pb2, memory_service_pb2, project_service_pb2

from server.api.grpc.convert.requests import filters_of
from server.api.grpc.convert.values import StructError, checked_struct
from server.core.errors import FieldViolation, InvalidRequest
from server.memories.conversation import without_nul

MAX_METADATA_BYTES = 64 * 1024
MAX_METADATA_DEPTH = 8
MAX_AHEAD = timedelta(days=1)

MEMORY_PATHS = frozenset({"text", "metadata", "categories", "expiration_date"})
PROJECT_PATHS = frozenset(
    {"custom_instructions", "custom_categories", "default_retention_days", "keeps_passages"}
)

FILTERED = (
    memory_service_pb2.SearchMemoriesRequest,
    memory_service_pb2.ListMemoriesRequest,
    memory_service_pb2.DeleteMemoriesRequest,
)

Violations: TypeAlias = Iterator[FieldViolation]


@singledispatch
def broken_rules(request: Message, now: datetime) -> Violations:
    """Returns the violations of a request of any type; `now` is aware."""
    del request, now
    yield from ()


@broken_rules.register
def _add_memories(request: memory_service_pb2.AddMemoriesRequest, now: datetime) -> Violations:
    if request.messages and not any(_says_something(m.content) for m in request.messages):
        yield FieldViolation("messages", "at least one message must have content")
    if request.HasField("metadata"):
        yield from _metadata("metadata", request.metadata)
    if request.HasField("timestamp") and request.timestamp > (now + MAX_AHEAD).timestamp():
        yield FieldViolation("timestamp", "must be at most a day in the future, in Unix seconds")
    if request.HasField("expiration_date"):
        yield from _expiration_date("expiration_date", request.expiration_date, now)


@broken_rules.register
def _update_memory(request: memory_service_pb2.UpdateMemoryRequest, now: datetime) -> Violations:
    if request.HasField("update_mask"):
        yield from _mask(request.update_mask.paths, MEMORY_PATHS)
        yield from _new_values(request)
    if request.changes.HasField("metadata"):
        yield from _metadata("changes.metadata", request.changes.metadata)
    # Absent or empty clears the date.
    if request.changes.expiration_date:
        yield from _expiration_date("changes.expiration_date", request.changes.expiration_date, now)


def _new_values(request: memory_service_pb2.UpdateMemoryRequest) -> Violations:
    named, changes = request.update_mask.paths, request.changes
    if "text" in named and not _says_something(changes.text):
        yield FieldViolation("changes.text", "must not be empty: a text cannot be cleared")
    if "categories" in named and not all(map(_says_something, changes.categories)):
        yield FieldViolation("changes.categories", "must not be empty")


@broken_rules.register
def _batch_update(
    request: memory_service_pb2.BatchUpdateMemoriesRequest, now: datetime
) -> Violations:
    for index, item in enumerate(request.requests):
        for violation in _update_memory(item, now):
            yield FieldViolation(f"requests[{index}].{violation.field}", violation.description)
    yield from _foreign_items(request)


@broken_rules.register
def _batch_delete(
    request: memory_service_pb2.BatchDeleteMemoriesRequest, now: datetime
) -> Violations:
    del now
    yield from _foreign_items(request)


def _foreign_items(
    batch: memory_service_pb2.BatchUpdateMemoriesRequest
    | memory_service_pb2.BatchDeleteMemoriesRequest,
) -> Violations:
    """Checks that an item does not contradict the batch in fields of the whole batch."""
    for index, item in enumerate(batch.requests):
        for field in ("org_id", "project_id", "request_id"):
            if item.HasField(field) and getattr(item, field) != getattr(batch, field):
                path = f"requests[{index}].{field}"
                yield FieldViolation(path, f"must be absent or the {field} of the batch")


@broken_rules.register
def _read(
    request: memory_service_pb2.GetMemoryRequest
    | memory_service_pb2.ListMemoriesRequest
    | graph_service_pb2.ListRelationsRequest
    | graph_service_pb2.GetEntityRequest,
    now: datetime,
) -> Violations:
    if request.HasField("as_of"):
        yield from _past(request.as_of, now)


@broken_rules.register
def _search(request: memory_service_pb2.SearchMemoriesRequest, now: datetime) -> Violations:
    if request.HasField("as_of"):
        yield from _past(request.as_of, now)
        if request.latest_only:
            yield FieldViolation("latest_only", "cannot be combined with as_of")
    for index, category in enumerate(request.categories):
        if "\0" in category:
            yield FieldViolation(f"categories[{index}]", "must not contain NUL characters")


def _past(as_of: Timestamp, now: datetime) -> Violations:
    """Refuses the future, because page tokens rely on a state that no longer changes."""
    try:
        instant = as_of.ToDatetime(UTC)
    except (ValueError, OverflowError):
        yield FieldViolation("as_of", "must be an instant from year 1 to 9999")
        return
    if instant > now:
        yield FieldViolation("as_of", "must not be in the future")


@broken_rules.register
def _update_project(request: project_service_pb2.UpdateProjectRequest, now: datetime) -> Violations:
    del now
    if request.HasField("update_mask"):
        yield from _mask(request.update_mask.paths, PROJECT_PATHS)


def broken_filters(request: Message) -> Violations:
    """Returns the violations of the filter of a request of any type, if it has one."""
    if not isinstance(request, FILTERED):
        return
    try:
        filters_of(request)
    except InvalidRequest as error:
        yield from error.violations


def _says_something(content: str) -> bool:
    return bool(without_nul(content).strip())


def _metadata(field: str, metadata: Struct) -> Violations:
    try:
        value = checked_struct(metadata, MAX_METADATA_DEPTH)
    except StructError as error:
        yield FieldViolation(f"{field}{error.path}", error.problem)
        return
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_METADATA_BYTES:
        yield FieldViolation(field, f"must be at most {MAX_METADATA_BYTES} bytes as JSON")


def _expiration_date(field: str, text: str, now: datetime) -> Violations:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        yield FieldViolation(field, "must be a date of the calendar, as YYYY-MM-DD")
        return
    if day < now.astimezone(UTC).date():
        yield FieldViolation(field, "must not be in the past (UTC)")


def _mask(paths: Collection[str], known: frozenset[str]) -> Violations:
    allowed = ", ".join(sorted(known))
    if not paths:
        yield FieldViolation("update_mask", f"must name at least one of {allowed}")
    elif unknown := next((path for path in paths if path not in known), None):
        yield FieldViolation("update_mask", f"{unknown!r} is not one of {allowed}")
