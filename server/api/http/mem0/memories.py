"""Adding memories: `POST /v1/memories/` and `/v3/memories/add/`; searching: `.../search/`."""

from __future__ import annotations

from typing import Any, Final

from memoir.v1.memory_service_pb2 import (
    AddMemoriesRequest,
    AddMemoriesResponse,
    SearchMemoriesRequest,
    SearchMemoriesResponse,
    SearchSource,
)

from server.api.http.door import OneCall
from server.api.http.exchange import Exchange, message_of
from server.api.http.mem0 import fields
from server.api.http.mem0.fields import plain_ids
from server.api.http.mem0.shapes import (
    added_json,
    added_relations_json,
    event_id,
    hit_json,
    notice_texts,
    relation_json,
)

_FIELDS_OF_ADD: Final = frozenset(AddMemoriesRequest.DESCRIPTOR.fields_by_name)
_QUEUED: Final = "The messages were accepted and are processed in the background"
_STORED: Final = "The memories were stored"


def _read_add_v1(exchange: Exchange) -> AddMemoriesRequest:
    """Converts an add, with the defaults of the contract, which are those of Mem0's reference."""
    return _add_request(exchange, _sent_add(exchange))


def _read_add_v3(exchange: Exchange) -> AddMemoriesRequest:
    """Converts an add; by default, inference happens in the background."""
    sent = _sent_add(exchange)
    sent.setdefault("async_mode", sent.get("infer", True) is not False)
    sent.setdefault("version", "v2")
    return _add_request(exchange, {**sent, "output_format": "v1.1"})


def _sent_add(exchange: Exchange) -> dict[str, Any]:
    sent = fields.sent_fields(exchange)
    filters = sent.pop("filters", None)
    return {**sent, **plain_ids(filters, sent)}


def _add_request(exchange: Exchange, sent: dict[str, Any]) -> AddMemoriesRequest:
    values = fields.used_fields(exchange, sent, _FIELDS_OF_ADD)
    if "messages" in values:
        values["messages"] = fields.with_joined_text(_listed(values["messages"]))
    if "custom_categories" in values:
        values["custom_categories"] = fields.translated_categories(values["custom_categories"])
    if request_id := exchange.request_id():
        values["request_id"] = request_id
    return message_of(AddMemoriesRequest, values)


def _listed(messages: object) -> object:
    """Returns the messages as a list; Mem0 also accepts one message, or a text of the user."""
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [messages] if isinstance(messages, dict) else messages


def _write_add_v1(response: AddMemoriesResponse, exchange: Exchange) -> object:
    """Returns the changes: a list for `output_format` v1.0, an object for v1.1."""
    if response.HasField("operation"):
        return [_pending(response)]
    exchange.notices += notice_texts(response)
    results = added_json(response)
    if exchange.json_object().get("output_format") != "v1.1":
        return results
    return {"results": results, "relations": added_relations_json(response)}


def _write_add_v3(response: AddMemoriesResponse, exchange: Exchange) -> object:
    """Returns the event to poll, or the changes."""
    if response.HasField("operation"):
        return _pending(response)
    exchange.notices += notice_texts(response)
    return {
        "message": _STORED,
        "status": "SUCCEEDED",
        # No event, because the add has finished.
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


_FIELDS_OF_SEARCH: Final = frozenset(SearchMemoriesRequest.DESCRIPTOR.fields_by_name) - {"sources"}
_MEM0_FIELDS: Final = frozenset({"fields", "limit", "metadata", "reference_date", "output_format"})


def _read_search_v3(exchange: Exchange) -> SearchMemoriesRequest:
    """Converts a search like `_read_search`; each hit also has the score of each arm."""
    request = _read_search(exchange)
    request.explain = True
    return request


def _read_search(exchange: Exchange) -> SearchMemoriesRequest:
    """Converts a search. It leaves out passages, which have no memory id."""
    sent = fields.used_fields(
        exchange, fields.sent_fields(exchange), _FIELDS_OF_SEARCH | _MEM0_FIELDS
    )
    values = {name: value for name, value in sent.items() if name in _FIELDS_OF_SEARCH}
    if "limit" in sent:
        values.setdefault("top_k", sent["limit"])
    if "reference_date" in sent:
        values["reference_time"] = fields.rfc3339_time(sent["reference_date"], "reference_date")
    if (filters := fields.filters_of(sent)) is not None:
        values["filters"] = filters
    values["sources"] = [SearchSource.Name(SearchSource.SEARCH_SOURCE_MEMORIES)]
    values["include_relations"] = sent.get("output_format") == "v1.1"
    return message_of(SearchMemoriesRequest, values)


def _write_hit_list(response: SearchMemoriesResponse, exchange: Exchange) -> object:
    """Returns the hits as a list, or as an object if `output_format` is v1.1."""
    if exchange.json_object().get("output_format") == "v1.1":
        return {
            "results": _hits(response, exchange),
            "relations": [relation_json(relation) for relation in response.relations],
        }
    return _hits(response, exchange)


def _write_hits(response: SearchMemoriesResponse, exchange: Exchange) -> object:
    return {"results": _hits(response, exchange)}


def _hits(response: SearchMemoriesResponse, exchange: Exchange) -> list[dict[str, Any]]:
    kept = exchange.json_object().get("fields")
    names = [str(name) for name in kept] if isinstance(kept, list) else []
    return [hit_json(hit, names) for hit in response.results if hit.HasField("memory")]


ADD_V1: Final = OneCall(AddMemoriesRequest, _read_add_v1, _write_add_v1)
ADD_V3: Final = OneCall(AddMemoriesRequest, _read_add_v3, _write_add_v3)
SEARCH: Final = OneCall(SearchMemoriesRequest, _read_search, _write_hit_list)
SEARCH_V3: Final = OneCall(SearchMemoriesRequest, _read_search_v3, _write_hits)
