"""Searching memories: `POST /v{1,2,3}/memories/search/`."""

from __future__ import annotations

from typing import Any, Final

from memoir.v1.memory_service_pb2 import (
    SearchMemoriesRequest,
    SearchMemoriesResponse,
    SearchSource,
)

from server.api.http.exchange import Exchange, message_of
from server.api.http.mem0 import fields
from server.api.http.mem0.fields import conjunction, translated
from server.api.http.mem0.shapes import hit_json, relation_json

METHOD: Final = "memoir.v1.MemoryService/SearchMemories"
_FIELDS: Final = frozenset(SearchMemoriesRequest.DESCRIPTOR.fields_by_name) - {"sources"}
_OWN: Final = frozenset({"fields", "limit", "metadata", "reference_date", "output_format"})


def read_v3(exchange: Exchange) -> SearchMemoriesRequest:
    """A search as `read` understands it, whose hits also tell the score of each arm."""
    request = read(exchange)
    request.explain = True
    return request


def read(exchange: Exchange) -> SearchMemoriesRequest:
    """A search among memories; passages, which have no id of Mem0's kind, are left out."""
    sent = fields.understood(exchange, fields.sent_fields(exchange), _FIELDS | _OWN)
    wanted = {name: value for name, value in sent.items() if name in _FIELDS}
    if "limit" in sent:
        wanted.setdefault("top_k", sent["limit"])
    if "reference_date" in sent:
        wanted["reference_time"] = fields.instant(sent["reference_date"], "reference_date")
    if (filters := _filters(sent)) is not None:
        wanted["filters"] = filters
    wanted["sources"] = [SearchSource.Name(SearchSource.SEARCH_SOURCE_MEMORIES)]
    wanted["include_relations"] = sent.get("output_format") == "v1.1"
    return message_of(SearchMemoriesRequest, wanted)


def _filters(sent: dict[str, Any]) -> Any:
    if "filters" in sent and not isinstance(sent["filters"], dict):
        return sent["filters"]
    metadata = {"metadata": sent["metadata"]} if sent.get("metadata") else None
    return conjunction([translated(sent.get("filters")), translated(metadata)])


def write_list(response: SearchMemoriesResponse, exchange: Exchange) -> object:
    """The hits as a list, or as an object where `output_format` is v1.1."""
    if exchange.json_object().get("output_format") == "v1.1":
        return {
            "results": _hits(response, exchange),
            "relations": [relation_json(relation) for relation in response.relations],
        }
    return _hits(response, exchange)


def write_object(response: SearchMemoriesResponse, exchange: Exchange) -> object:
    """The hits in an object."""
    return {"results": _hits(response, exchange)}


def _hits(response: SearchMemoriesResponse, exchange: Exchange) -> list[dict[str, Any]]:
    kept = exchange.json_object().get("fields")
    names = [str(name) for name in kept] if isinstance(kept, list) else []
    return [hit_json(hit, names) for hit in response.results if hit.HasField("memory")]
