"""The calls of MemoryService. Each function returns one; those for lists, the call of a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from google.longrunning import operations_proto_pb2 as operations_pb2
from memoir.call import Call, Page, as_write, make_call
from memoir.errors import from_status
from memoir.memories import Memory, MemoryEvent
from memoir.requests import Messages, build, to_messages
from memoir.results import AddResult, BatchItem, Receipt, ScopeSummary, SearchResult
from memoir.v1 import memory_service_pb2

_MEMORY = "/memoir.v1.MemoryService/"
_UPDATABLE = ("text", "metadata", "categories", "expiration_date")


def add(messages: Messages, options: Mapping[str, object]) -> Call[AddResult]:
    return make_call(
        _MEMORY + "AddMemories",
        memory_service_pb2.AddMemoriesRequest,
        memory_service_pb2.AddMemoriesResponse,
        AddResult.from_proto,
        _added(messages, options),
    )


def submit(messages: Messages, options: Mapping[str, object]) -> Call[operations_pb2.Operation]:
    return make_call(
        _MEMORY + "AddMemories",
        memory_service_pb2.AddMemoriesRequest,
        memory_service_pb2.AddMemoriesResponse,
        lambda response: response.operation,
        {**_added(messages, options), "async_mode": True},
    )


def search(query: str, options: Mapping[str, object]) -> Call[SearchResult]:
    return make_call(
        _MEMORY + "SearchMemories",
        memory_service_pb2.SearchMemoriesRequest,
        memory_service_pb2.SearchMemoriesResponse,
        SearchResult.from_proto,
        {"query": query, **options},
    )


def get(memory_id: str, options: Mapping[str, object]) -> Call[Memory]:
    return make_call(
        _MEMORY + "GetMemory",
        memory_service_pb2.GetMemoryRequest,
        memory_service_pb2.GetMemoryResponse,
        lambda response: Memory.from_proto(response.memory),
        {"id": memory_id, **options},
    )


def list_memories(page_token: str, options: Mapping[str, object]) -> Call[Page[Memory]]:
    return make_call(
        _MEMORY + "ListMemories",
        memory_service_pb2.ListMemoriesRequest,
        memory_service_pb2.ListMemoriesResponse,
        lambda r: Page([Memory.from_proto(memory) for memory in r.memories], r.next_page_token),
        {**options, "page_token": page_token},
    )


def update(memory_id: str, options: Mapping[str, object]) -> Call[Memory]:
    return make_call(
        _MEMORY + "UpdateMemory",
        memory_service_pb2.UpdateMemoryRequest,
        memory_service_pb2.UpdateMemoryResponse,
        lambda response: Memory.from_proto(response.memory),
        as_write(_updated(memory_id, options)),
    )


def delete(memory_id: str, options: Mapping[str, object]) -> Call[None]:
    return make_call(
        _MEMORY + "DeleteMemory",
        memory_service_pb2.DeleteMemoryRequest,
        memory_service_pb2.DeleteMemoryResponse,
        lambda _: None,
        as_write({"id": memory_id, **_erasing(options)}),
    )


def restore(memory_id: str, version: int, options: Mapping[str, object]) -> Call[Memory]:
    return make_call(
        _MEMORY + "RestoreMemory",
        memory_service_pb2.RestoreMemoryRequest,
        memory_service_pb2.RestoreMemoryResponse,
        lambda response: Memory.from_proto(response.memory),
        as_write({"id": memory_id, "version": version, **options}),
    )


def _erasing(options: Mapping[str, object]) -> dict[str, object]:
    """Returns the options with `erase` as the contract's `erasure_mode`."""
    rest = {name: value for name, value in options.items() if name != "erase"}
    if options.get("erase"):
        rest["erasure_mode"] = memory_service_pb2.ERASURE_MODE_ERASE
    return rest


def update_many(
    updates: Mapping[str, Mapping[str, object]], options: Mapping[str, object]
) -> Call[tuple[BatchItem, ...]]:
    """Returns the call of BatchUpdateMemories; `updates` has new values by memory id."""
    requests = [
        build(memory_service_pb2.UpdateMemoryRequest, _updated(memory_id, values))
        for memory_id, values in updates.items()
    ]
    return make_call(
        _MEMORY + "BatchUpdateMemories",
        memory_service_pb2.BatchUpdateMemoriesRequest,
        memory_service_pb2.BatchUpdateMemoriesResponse,
        lambda response: tuple(
            BatchItem(memory_id, None, from_status(result.error))
            if result.HasField("error")
            else BatchItem(memory_id, Memory.from_proto(result.memory), None)
            for memory_id, result in zip(updates, response.results, strict=True)
        ),
        as_write({"requests": requests, **options}),
    )


def delete_many(ids: Sequence[str], options: Mapping[str, object]) -> Call[tuple[BatchItem, ...]]:
    rest = _erasing(options)
    mode = rest.pop("erasure_mode", None)
    requests = [
        build(memory_service_pb2.DeleteMemoryRequest, {"id": memory_id, "erasure_mode": mode})
        for memory_id in ids
    ]
    return make_call(
        _MEMORY + "BatchDeleteMemories",
        memory_service_pb2.BatchDeleteMemoriesRequest,
        memory_service_pb2.BatchDeleteMemoriesResponse,
        lambda response: tuple(
            BatchItem(r.id, None, from_status(r.error) if r.HasField("error") else None)
            for r in response.results
        ),
        as_write({"requests": requests, **rest}),
    )


def delete_all(options: Mapping[str, object]) -> Call[Receipt]:
    return make_call(
        _MEMORY + "DeleteMemories",
        memory_service_pb2.DeleteMemoriesRequest,
        memory_service_pb2.DeleteMemoriesResponse,
        lambda response: Receipt.from_proto(response.receipt),
        as_write(_erasing(options)),
    )


def history(
    memory_id: str, page_token: str, options: Mapping[str, object]
) -> Call[Page[MemoryEvent]]:
    return make_call(
        _MEMORY + "ListMemoryEvents",
        memory_service_pb2.ListMemoryEventsRequest,
        memory_service_pb2.ListMemoryEventsResponse,
        lambda r: Page([MemoryEvent.from_proto(event) for event in r.events], r.next_page_token),
        {"id": memory_id, **options, "page_token": page_token},
    )


def scopes(
    kind: str | None, page_token: str, options: Mapping[str, object]
) -> Call[Page[ScopeSummary]]:
    return make_call(
        _MEMORY + "ListScopes",
        memory_service_pb2.ListScopesRequest,
        memory_service_pb2.ListScopesResponse,
        lambda r: Page([ScopeSummary.from_proto(scope) for scope in r.scopes], r.next_page_token),
        {"kind": _scope_kind(kind) if kind else None, **options, "page_token": page_token},
    )


def delete_scope(kind: str, scope_id: str, options: Mapping[str, object]) -> Call[Receipt]:
    return make_call(
        _MEMORY + "DeleteScope",
        memory_service_pb2.DeleteScopeRequest,
        memory_service_pb2.DeleteScopeResponse,
        lambda response: Receipt.from_proto(response.receipt),
        as_write({"kind": _scope_kind(kind), "id": scope_id, **options}),
    )


def watch(options: Mapping[str, object]) -> Call[tuple[MemoryEvent | None, str]]:
    """Returns the call of WatchMemoryEvents, which yields events (or None) with cursors."""
    return make_call(
        _MEMORY + "WatchMemoryEvents",
        memory_service_pb2.WatchMemoryEventsRequest,
        memory_service_pb2.WatchMemoryEventsResponse,
        lambda r: (
            MemoryEvent.from_proto(r.event, r.cursor) if r.HasField("event") else None,
            r.cursor,
        ),
        options,
    )


def _added(messages: Messages, options: Mapping[str, object]) -> dict[str, object]:
    defaults = {"output_format": "v1.1", "version": "v2"}
    return as_write({**defaults, "messages": to_messages(messages), **options})


def _updated(memory_id: str, options: Mapping[str, object]) -> dict[str, object]:
    values = {name: options[name] for name in _UPDATABLE if name in options}
    rest = {name: value for name, value in options.items() if name not in _UPDATABLE}
    changes = build(memory_service_pb2.MemoryChanges, values)
    return {"id": memory_id, "changes": changes, "update_mask": {"paths": list(values)}, **rest}


def _scope_kind(kind: str) -> int:
    name = f"SCOPE_KIND_{kind.upper()}"
    if name not in memory_service_pb2.ScopeKind.keys():  # noqa: SIM118 - the enum is no mapping
        raise ValueError("kind must be user, agent, app or run")
    return memory_service_pb2.ScopeKind.Value(name)
