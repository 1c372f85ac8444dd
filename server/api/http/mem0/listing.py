"""Lists memories and entities by page number, as Mem0 does.

The contract has page tokens instead. So the pages before the requested one are read too, and up to
10,000 items in total to count them.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import orjson
from memoir.v1.memory_service_pb2 import ListMemoriesRequest, ListScopesRequest, ScopeKind

from server.api.http.door import Session, SeveralCalls
from server.api.http.exchange import Exchange, message_of
from server.api.http.mem0 import fields
from server.api.http.mem0.shapes import memory_json
from server.api.http.writing import time_json
from server.core.errors import FieldViolation, InvalidRequest
from server.memories.scope import SCOPE_FIELDS


def _export_id(filters: dict[str, Any]) -> str:
    """Returns the id of an export of these fields."""
    raw = orjson.dumps(filters, option=orjson.OPT_SORT_KEYS)
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _exported_filters(text: object) -> dict[str, Any]:
    """Returns the filters that are encoded in the id of an export.

    Raises:
        InvalidRequest: this is not the id of an export.
    """
    try:
        raw = base64.urlsafe_b64decode(str(text) + "=" * (-len(str(text)) % 4))
        filters = orjson.loads(raw)
    except ValueError:
        filters = None
    if not isinstance(filters, dict):
        raise InvalidRequest([FieldViolation("memory_export_id", "there is no such export")])
    return filters


_MOST_READ: Final = 10_000
_LARGEST_PAGE: Final = 1000
_DEFAULT_PAGE: Final = 100
_FIELDS: Final = frozenset(
    {*SCOPE_FIELDS, *fields.PROJECT_FIELDS, "filters", "metadata"}
    | {"start_date", "end_date", "categories", "show_expired"}
)
_PAGED: Final = frozenset({"page", "page_size"})
_UNPAGED: Final = frozenset({"top_k", "limit", "output_format"})
KINDS: Final = {
    "user": ScopeKind.SCOPE_KIND_USER,
    "agent": ScopeKind.SCOPE_KIND_AGENT,
    "app": ScopeKind.SCOPE_KIND_APP,
    "run": ScopeKind.SCOPE_KIND_RUN,
}
_KIND_NAMES: Final = {kind: name for name, kind in KINDS.items()}


@dataclass(frozen=True, slots=True)
class _Page:
    """The place of a page; numbers count from 1."""

    number: int
    size: int

    @property
    def begin(self) -> int:
        return (self.number - 1) * self.size

    @property
    def end(self) -> int:
        return self.number * self.size


async def _memories_v3(exchange: Exchange, session: Session) -> object:
    """`POST /v3/memories/`: returns a page, in which a run is called a session."""
    sent = fields.sent_fields(exchange)
    request, page = _request(exchange, sent, _PAGED), _page({**sent, **exchange.query})
    found, count = await _walk(exchange, session, request, page)
    return _paged(exchange, page, count, [memory_json(each, "session_id") for each in found])


async def _memories_v2(exchange: Exchange, session: Session) -> object:
    """`POST /v2/memories/`: returns a page on request, else a list."""
    sent = fields.sent_fields(exchange)
    return await _list_or_page(exchange, session, {**sent, **exchange.query})


async def _memories_v1(exchange: Exchange, session: Session) -> object:
    """`GET /v1/memories/`: like v2, but with all fields in the query."""
    sent = fields.query_fields(exchange)
    if "categories" in sent:
        sent["categories"] = exchange.request.query_params.getlist("categories")
    if "show_expired" in sent:
        sent["show_expired"] = sent["show_expired"].lower() == "true"
    return await _list_or_page(exchange, session, sent)


async def _list_or_page(exchange: Exchange, session: Session, sent: dict[str, Any]) -> object:
    if "page" in sent or "page_size" in sent:
        request, page = _request(exchange, sent, _PAGED), _page(sent)
        found, count = await _walk(exchange, session, request, page)
        return _paged(exchange, page, count, list(map(memory_json, found)))
    request = _request(exchange, sent, _UNPAGED)
    name = "top_k" if "top_k" in sent else "limit"
    size = fields.positive_number(sent, name, _LARGEST_PAGE, _MOST_READ)
    found, count = await _walk(exchange, session, request, _Page(1, size))
    if count > size:
        exchange.notices.append(f"these are {size} of {count} memories; use pages")
    results = list(map(memory_json, found))
    return {"results": results} if sent.get("output_format") == "v1.1" else results


def _request(
    exchange: Exchange, sent: dict[str, Any], also: frozenset[str] = frozenset()
) -> ListMemoriesRequest:
    known = fields.used_fields(exchange, sent, _FIELDS | also)
    values: dict[str, Any] = {
        name: known[name]
        for name in (*SCOPE_FIELDS, *fields.PROJECT_FIELDS, "show_expired")
        if name in known
    }
    if (filters := _filters(known)) is not None:
        values["filters"] = filters
    values["page_size"] = _LARGEST_PAGE
    return message_of(ListMemoriesRequest, values)


def _filters(sent: dict[str, Any]) -> Any:
    conditions: list[Any] = []
    for name, operator in (("start_date", "gte"), ("end_date", "lte")):
        if name in sent:
            conditions.append({"create_time": {operator: sent[name]}})
    if sent.get("categories"):
        conditions.append({"categories": {"in": sent["categories"]}})
    return fields.filters_of(sent, conditions)


async def _entities(exchange: Exchange, session: Session) -> object:
    """`GET /v1/entities/`: returns the users, agents, apps and runs of the project."""
    request = message_of(
        ListScopesRequest, {**fields.project_of(exchange), "page_size": _LARGEST_PAGE}
    )
    page = _page(exchange.query, default=_LARGEST_PAGE)
    found, count = await _walk(exchange, session, request, page)
    results = [
        {
            "id": scope.id,
            "name": scope.id,
            "type": _KIND_NAMES[scope.kind],
            "owner": None,
            "total_memories": scope.memory_count,
            "metadata": None,
            "created_at": None,
            "updated_at": time_json(scope.last_activity_time),
        }
        for scope in found
    ]
    totals = {f"total_{name}s": 0 for name in KINDS}
    for each in results:
        totals[f"total_{each['type']}s"] += 1
    return {**_paged(exchange, page, count, results), **totals}


async def _walk(
    exchange: Exchange,
    session: Session,
    request: ListMemoriesRequest | ListScopesRequest,
    page: _Page,
) -> tuple[Sequence[Any], int]:
    """Returns the items of a page, and the number of all items."""
    items = "memories" if isinstance(request, ListMemoriesRequest) else "scopes"
    kept: list[Any] = []
    count = 0
    while True:
        response = await session.call(request)
        found = getattr(response, items)
        kept += found[max(0, page.begin - count) : max(0, page.end - count)]
        count += len(found)
        if not response.next_page_token:
            return kept, count
        if count >= _MOST_READ:
            exchange.notices.append(f"only the first {count} were counted; narrow the filters")
            return kept, count
        request.page_token = response.next_page_token


def _page(values: Mapping[str, object], default: int = _DEFAULT_PAGE) -> _Page:
    page = _Page(
        fields.positive_number(values, "page", 1, _MOST_READ),
        fields.positive_number(values, "page_size", default, _LARGEST_PAGE),
    )
    if page.begin >= _MOST_READ:
        problem = f"must begin within the first {_MOST_READ}; narrow the filters instead"
        raise InvalidRequest([FieldViolation("page", problem)])
    return page


def _paged(
    exchange: Exchange, page: _Page, count: int, results: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "count": count,
        "next": _link(exchange, page.number + 1, page.size) if page.end < count else None,
        "previous": _link(exchange, page.number - 1, page.size) if page.number > 1 else None,
        "results": results,
    }


def _link(exchange: Exchange, number: int, size: int) -> str:
    url = exchange.request.url
    query = urlencode({**exchange.query, "page": number, "page_size": size})
    return str(url.replace(query=query))


_EXPORT_FIELDS: Final = frozenset({*SCOPE_FIELDS, *fields.PROJECT_FIELDS, "filters"})


async def _create_export(exchange: Exchange, session: Session) -> object:
    """`POST /v1/exports/`: checks an export and returns its id, which encodes the filters."""
    sent = fields.sent_fields(exchange)
    known = fields.used_fields(exchange, sent, _EXPORT_FIELDS)
    # Reads once, so that an invalid filter or a forbidden project is refused now and not later.
    request = _request(exchange, known)
    request.page_size = 1
    await session.call(request)
    return {"message": "The export can be fetched", "id": _export_id(known)}


async def _get_export(exchange: Exchange, session: Session) -> object:
    """`POST /v1/exports/get/`: returns the memories of an export, or of the filters in the body."""
    sent = fields.used_fields(
        exchange, fields.sent_fields(exchange), _EXPORT_FIELDS | {"memory_export_id"}
    )
    if "memory_export_id" in sent:
        sent |= _exported_filters(sent.pop("memory_export_id"))
    found, _ = await _walk(exchange, session, _request(exchange, sent), _Page(1, _MOST_READ))
    return {"memories": [memory_json(memory) for memory in found]}


MEMORIES_V1: Final = SeveralCalls(_memories_v1)
MEMORIES_V2: Final = SeveralCalls(_memories_v2)
MEMORIES_V3: Final = SeveralCalls(_memories_v3)
ENTITIES: Final = SeveralCalls(_entities)
CREATE_EXPORT: Final = SeveralCalls(_create_export)
GET_EXPORT: Final = SeveralCalls(_get_export)
