"""Reading, changing and deleting memories by id, alone and in batches, and whole scopes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from google.rpc import error_details_pb2, status_pb2
from memoir.v1.memory_service_pb2 import (
    BatchDeleteMemoriesRequest,
    BatchDeleteMemoriesResponse,
    BatchUpdateMemoriesRequest,
    BatchUpdateMemoriesResponse,
    DeleteMemoriesRequest,
    DeleteMemoriesResponse,
    DeleteMemoryRequest,
    DeleteScopeRequest,
    GetMemoryRequest,
    GetMemoryResponse,
    ListMemoryEventsRequest,
    UpdateMemoryRequest,
    UpdateMemoryResponse,
)

from server.api.http.door import CallFailed, OneCall, Session, SeveralCalls
from server.api.http.exchange import Exchange, message_of
from server.api.http.mem0 import fields
from server.api.http.mem0.fields import plain_ids
from server.api.http.mem0.listing import KINDS
from server.api.http.mem0.shapes import history_json, memory_json
from server.core.errors import FieldViolation, InvalidRequest
from server.memories.scope import SCOPE_FIELDS

_CHANGES: Final = ("text", "metadata", "categories", "expiration_date")
_FILTERS: Final = ("filters", "metadata")
_FIXED: Final = "the time of a memory is that of its conversation and cannot be changed"


def _read_get(exchange: Exchange) -> GetMemoryRequest:
    return message_of(GetMemoryRequest, _named(exchange))


def _write_memory(
    response: GetMemoryResponse | UpdateMemoryResponse, _exchange: Exchange
) -> object:
    return memory_json(response.memory)


def _named(exchange: Exchange) -> dict[str, Any]:
    return {"id": exchange.path["id"], **fields.project_of(exchange)}


def _request_id(exchange: Exchange) -> dict[str, Any]:
    request_id = exchange.request_id()
    return {"request_id": request_id} if request_id else {}


def _read_update(exchange: Exchange) -> UpdateMemoryRequest:
    """Converts an update; null clears the expiration date."""
    sent = exchange.json_object()
    names = {*_CHANGES, "timestamp", "memory_id"}
    known = fields.used_fields(exchange, sent, names)
    value = {**_named(exchange), **_change(known), **_request_id(exchange)}
    return message_of(UpdateMemoryRequest, value, _refused_changes(known))


def _change(sent: dict[str, Any]) -> dict[str, Any]:
    mask = [
        name
        for name in _CHANGES
        if name in sent and (sent[name] is not None or name == "expiration_date")
    ]
    changes = {name: sent[name] for name in mask}
    return {"changes": changes, **({"update_mask": ",".join(mask)} if mask else {})}


def _refused_changes(sent: dict[str, Any], path: str = "") -> list[FieldViolation]:
    if sent.get("timestamp") is None:
        return []
    return [FieldViolation(f"{path}timestamp", _FIXED)]


def _update_field(field: str) -> str:
    """Returns Mem0's name for a field of an update."""
    return "text" if field == "update_mask" else field.removeprefix("changes.")


def _read_delete(exchange: Exchange) -> DeleteMemoryRequest:
    """Converts a deletion. `delete_linked` is ignored, because memories have no links here."""
    if "delete_linked" in exchange.query:
        exchange.ignored.append("delete_linked")
    return message_of(DeleteMemoryRequest, {**_named(exchange), **_request_id(exchange)})


def _write_deleted(_response: object, _exchange: Exchange) -> object:
    """Returns the message that Mem0 sends."""
    return {"message": "Memory deleted successfully!"}


def _read_delete_many(exchange: Exchange) -> DeleteMemoriesRequest:
    """Converts a deletion by ids, at the top level or in `filters`; the contract requires one.

    Whatever could narrow the deletion but is not understood is refused, and not ignored.
    """
    names = (*SCOPE_FIELDS, *fields.PROJECT_FIELDS)
    sent = fields.query_fields(exchange)
    violations = list(_not_understood(exchange, sent, (*names, *_FILTERS)))
    values = {name: value for name, value in sent.items() if name in names}
    # A filter that has other conditions than ids is passed on as a filter.
    with suppress(InvalidRequest):
        values |= plain_ids(sent.get("filters"), values)
        sent.pop("filters", None)
    if (filters := fields.filters_of(sent)) is not None:
        values["filters"] = filters
    return message_of(DeleteMemoriesRequest, {**values, **_request_id(exchange)}, violations)


def _not_understood(
    exchange: Exchange, sent: Mapping[str, object], names: Collection[str]
) -> Iterator[FieldViolation]:
    if exchange.body:
        yield FieldViolation("", "this method takes no body; its fields are in the query")
    for name, value in sent.items():
        if len(exchange.request.query_params.getlist(name)) > 1:
            yield FieldViolation(name, "is given twice")
        elif name not in names:
            problem = f"is not a field of this deletion; fields are {', '.join(names)}"
            yield FieldViolation(name, problem)
        elif name in _FILTERS and not value:
            yield FieldViolation(name, "must not be empty")


def _write_deleted_many(response: DeleteMemoriesResponse, _exchange: Exchange) -> object:
    """Returns Mem0's message, without an event to poll, because the deletion has finished."""
    return {
        "message": "Memories deleted successfully!",
        "event_id": None,
        "deleted": response.receipt.memories,
    }


def _read_delete_entity(exchange: Exchange) -> DeleteScopeRequest:
    """Converts the deletion of the user, agent, app or run in the path."""
    kind = KINDS.get(exchange.path["type"])
    violations = list(_not_understood(exchange, exchange.query, fields.PROJECT_FIELDS))
    if kind is None:
        violations.append(FieldViolation("type", f"must be one of {', '.join(KINDS)}"))
    value = {
        "kind": kind or KINDS["user"],
        "id": exchange.path["name"],
        **fields.project_of(exchange),
        **_request_id(exchange),
    }
    return message_of(DeleteScopeRequest, value, violations)


def _write_deleted_entity(_response: object, _exchange: Exchange) -> object:
    """Returns the message that Mem0 sends."""
    return {"message": "Entity deleted successfully!", "event_id": None}


async def _history(exchange: Exchange, session: Session) -> object:
    """`GET /v1/memories/{id}/history/`: returns all events, oldest first."""
    request = message_of(ListMemoryEventsRequest, {**_named(exchange), "page_size": 1000})
    events: list[Any] = []
    while True:
        response = await session.call(request)
        events += map(history_json, response.events)
        if not response.next_page_token:
            return events
        request.page_token = response.next_page_token


async def _update_batch(exchange: Exchange, session: Session) -> object:
    """`PUT /v1/batch/`: updates memories; the error names the items that failed."""
    violations: list[FieldViolation] = []
    requests = []
    for index, item in enumerate(_items(exchange)):
        violations += _refused_changes(item, f"requests[{index}].")
        requests.append({"id": item.get("memory_id"), **_change(item)})
    value = {"requests": requests, **_request_id(exchange)}
    request = message_of(BatchUpdateMemoriesRequest, value, violations)
    response: BatchUpdateMemoriesResponse = await session.call(request)
    return _summary(response, "updated")


async def _delete_batch(exchange: Exchange, session: Session) -> object:
    """`DELETE /v1/batch/`: deletes memories; the error names the items that failed."""
    requests = [{"id": item.get("memory_id")} for item in _items(exchange)]
    request = message_of(
        BatchDeleteMemoriesRequest, {"requests": requests, **_request_id(exchange)}
    )
    response: BatchDeleteMemoriesResponse = await session.call(request)
    return _summary(response, "deleted")


def _items(exchange: Exchange) -> list[dict[str, Any]]:
    items = exchange.json_object().get("memories")
    if not isinstance(items, list):
        raise InvalidRequest([FieldViolation("requests", "must be a list")])
    wrong = [index for index, item in enumerate(items) if not isinstance(item, dict)]
    if wrong:
        raise InvalidRequest(
            [FieldViolation(f"requests[{index}]", "must be an object") for index in wrong]
        )
    return items


def _summary(
    response: BatchUpdateMemoriesResponse | BatchDeleteMemoriesResponse, done: str
) -> dict[str, Any]:
    """Returns Mem0's message if all items succeeded.

    Raises:
        CallFailed: items failed; the status has the code of the first and names each of them.
    """
    count = len(response.results)
    results: Iterable[Any] = response.results
    errors = {
        index: result.error for index, result in enumerate(results) if result.HasField("error")
    }
    if not errors:
        return {"message": f"Successfully {done} {count} memories"}
    bad = error_details_pb2.BadRequest()
    for index, error in errors.items():
        bad.field_violations.add(field=f"requests[{index}].id", description=error.message)
    status = status_pb2.Status(
        code=next(iter(errors.values())).code,
        message=f"{len(errors)} of {count} memories were not {done}; the others were",
    )
    status.details.add().Pack(bad)
    raise CallFailed(status)


_ITEM: Final = re.compile(r"requests(\[\d+\])?")


def _batch_field(field: str) -> str:
    """Returns Mem0's name for a field of a batch."""
    path = _ITEM.sub(r"memories\1", field, count=1)
    item, dot, rest = path.partition("].")
    if not dot:
        return path
    return f"{item}].{'memory_id' if rest == 'id' else _update_field(rest)}"


GET: Final = OneCall(GetMemoryRequest, _read_get, _write_memory)
UPDATE: Final = OneCall(UpdateMemoryRequest, _read_update, _write_memory, _update_field)
DELETE: Final = OneCall(DeleteMemoryRequest, _read_delete, _write_deleted)
DELETE_MANY: Final = OneCall(DeleteMemoriesRequest, _read_delete_many, _write_deleted_many)
DELETE_SCOPE: Final = OneCall(DeleteScopeRequest, _read_delete_entity, _write_deleted_entity)
HISTORY: Final = SeveralCalls(_history)
UPDATE_BATCH: Final = SeveralCalls(_update_batch, _batch_field)
DELETE_BATCH: Final = SeveralCalls(_delete_batch, _batch_field)
