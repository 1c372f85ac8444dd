"""Adding memories: `POST /v1/memories/` and `POST /v3/memories/add/`."""

from __future__ import annotations

from typing import Any, Final

from memoir.v1.memory_service_pb2 import AddMemoriesRequest, AddMemoriesResponse

from server.api.http.exchange import Exchange, message_of
from server.api.http.mem0 import fields
from server.api.http.mem0.fields import plain_ids
from server.api.http.mem0.shapes import added_json, added_relations_json, event_id

METHOD: Final = "memoir.v1.MemoryService/AddMemories"
_FIELDS: Final = frozenset(AddMemoriesRequest.DESCRIPTOR.fields_by_name)
_QUEUED: Final = "The messages were accepted and are processed in the background"
_STORED: Final = "The memories were stored"


def read_v1(exchange: Exchange) -> AddMemoriesRequest:
    """An add with the defaults of the contract, which are those of Mem0's reference."""
    return _request(exchange, _sent(exchange))


def read_v3(exchange: Exchange) -> AddMemoriesRequest:
    """An add in which inference happens in the background, unless the client says otherwise."""
    sent = _sent(exchange)
    sent.setdefault("async_mode", sent.get("infer", True) is not False)
    sent.setdefault("version", "v2")
    return _request(exchange, {**sent, "output_format": "v1.1"})


def _sent(exchange: Exchange) -> dict[str, Any]:
    sent = fields.sent_fields(exchange)
    filters = sent.pop("filters", None)
    return {**sent, **plain_ids(filters, sent)}


def _request(exchange: Exchange, sent: dict[str, Any]) -> AddMemoriesRequest:
    wanted = fields.understood(exchange, sent, _FIELDS)
    if "messages" in wanted:
        wanted["messages"] = fields.text_parts(_listed(wanted["messages"]))
    if "custom_categories" in wanted:
        wanted["custom_categories"] = fields.categories(wanted["custom_categories"])
    if request_id := exchange.request_id():
        wanted["request_id"] = request_id
    return message_of(AddMemoriesRequest, wanted)


def _listed(messages: object) -> object:
    """Messages in a list; Mem0 also takes one alone, or what the user said."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [messages] if isinstance(messages, dict) else messages


def write_v1(response: AddMemoriesResponse, exchange: Exchange) -> object:
    """The changes, as a list for `output_format` v1.0 and as an object for v1.1."""
    if response.HasField("operation"):
        return [_pending(response)]
    results = added_json(response)
    if exchange.json_object().get("output_format") != "v1.1":
        return results
    return {"results": results, "relations": added_relations_json(response)}


def write_v3(response: AddMemoriesResponse, _exchange: Exchange) -> object:
    """The event to poll, or the changes."""
    if response.HasField("operation"):
        return _pending(response)
    return {
        "message": _STORED,
        "status": "SUCCEEDED",
        # There is nothing to poll.
        "event_id": None,
        "results": added_json(response),
        "relations": added_relations_json(response),
    }


def _pending(response: AddMemoriesResponse) -> dict[str, Any]:
    return {
        "message": _QUEUED,
        "status": "PENDING",
        "event_id": event_id(response.operation.name),
    }
