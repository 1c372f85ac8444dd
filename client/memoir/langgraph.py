"""A LangGraph store with Memoir as its backend (extra `memoir[langgraph]`).

    graph = builder.compile(store=MemoirStore(client, app_id="support"))

Each item is one verbatim memory: its text is what LangGraph would index, its metadata has the
namespace, the key and the value, and its run identifies the item. So an item is found by its run
without a search, and namespaces by their prefixes; the server has indexes for both.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Final

from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    MatchCondition,
    Op,
    PutOp,
    Result,
    SearchItem,
    SearchOp,
    get_text_at_path,
)
from memoir.client import Client
from memoir.memories import Memory
from memoir.options import Json
from memoir.results import Source

_NAME: Final = "langgraph"
_METADATA: Final = f"metadata.{_NAME}"
_LONGEST_ID: Final = 256
_OPERATORS: Final[Mapping[str, str]] = {
    "$eq": "eq",
    "$ne": "ne",
    "$gt": "gt",
    "$gte": "gte",
    "$lt": "lt",
    "$lte": "lte",
}

Namespace = tuple[str, ...]


class MemoirStore(BaseStore):
    """Stores the items of one application (`app_id`), invisible to other applications.

    `fields` are the searched fields, as paths such as `text` or `notes[*].title`. Default: the
    whole value as JSON. Asynchronous operations run in a thread. Errors of the server, such as for
    values of more than 64 KiB, are raised as MemoirError. Times to live are not supported.
    """

    def __init__(self, client: Client, app_id: str, *, fields: Sequence[str] = ("$",)) -> None:
        self._client = client
        self._app_id = app_id
        self._fields = tuple(fields)

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Runs operations; reads see the items as they were before the writes."""
        numbered = list(enumerate(ops))
        results: list[Result] = [None] * len(numbered)
        # Of several writes of one item, only the last is done.
        writes: dict[tuple[Namespace, str], PutOp] = {}
        for number, op in numbered:
            if isinstance(op, PutOp):
                writes[op.namespace, op.key] = op
            else:
                results[number] = self._read(op)
        for write in writes.values():
            self._write(write)
        return results

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Runs operations like `batch`."""
        return await asyncio.to_thread(self.batch, ops)

    def _read(self, op: Op) -> Result:
        if isinstance(op, GetOp):
            found = self._found(op.namespace, op.key)
            return _item(found[0]) if found else None
        if isinstance(op, SearchOp):
            return self._search(op)
        if isinstance(op, ListNamespacesOp):
            return self._namespaces(op)
        raise TypeError(f"{type(op).__name__} is not an operation of a store")

    def _found(self, namespace: Namespace, key: str) -> list[Memory]:
        """Returns the memories of an item, newest first: one, except after concurrent writes."""
        run_id = _run_of(namespace, key)
        return list(self._client.list(app_id=self._app_id, run_id=run_id))

    def _write(self, op: PutOp) -> None:
        found = self._found(op.namespace, op.key)
        if op.value is not None and found:
            newest, *found = found
            text, metadata = self._text(op), _metadata(op)
            self._client.update(newest.id, text=text, metadata=metadata)
        elif op.value is not None:
            self._client.add(
                self._text(op),
                app_id=self._app_id,
                run_id=_run_of(op.namespace, op.key),
                metadata=_metadata(op),
                infer=False,
            )
        for obsolete in found:
            self._client.delete(obsolete.id)

    def _text(self, op: PutOp) -> str:
        paths = () if op.index is False else op.index or self._fields
        texts = [text for path in paths for text in get_text_at_path(op.value, path)]
        return "\n".join(text for text in texts if text.strip()) or op.key

    def _search(self, op: SearchOp) -> list[SearchItem]:
        end = op.offset + op.limit
        conditions = [*_in_namespace(op.namespace_prefix), *_filters_of(op.filter or {})]
        if op.query:
            found = self._hits(op.query, end, [*conditions, {f"{_METADATA}.indexed": True}])
        else:
            listed = self._client.list(app_id=self._app_id, **_filtered(conditions))
            found = ((memory, None) for memory in listed)
        return [_search_item(*each) for each in islice(found, op.offset, end)]

    def _hits(
        self, query: str, count: int, conditions: list[Json]
    ) -> Iterator[tuple[Memory, float | None]]:
        options = _filtered(conditions)
        options |= {"app_id": self._app_id, "top_k": count, "sources": [Source.MEMORIES]}
        while True:
            result = self._client.search(query, **options)
            for hit in result:
                if isinstance(hit.found, Memory):
                    yield hit.found, hit.score
            if not result.next_page_token:
                return
            options["page_token"] = result.next_page_token

    def _namespaces(self, op: ListNamespacesOp) -> list[Namespace]:
        """Returns the namespaces with items, by reading all items of the application."""
        conditions = op.match_conditions or ()
        namespaces = {_namespace(memory) for memory in self._client.list(app_id=self._app_id)}
        found = {
            namespace[: op.max_depth]
            for namespace in namespaces
            if all(_matches(condition, namespace) for condition in conditions)
        }
        return sorted(found)[op.offset : op.offset + op.limit]


def _run_of(namespace: Namespace, key: str) -> str:
    """Returns the run of an item: its name, or a digest if the name cannot be an id."""
    name = f"{'.'.join(namespace)}/{key}"
    if len(name) <= _LONGEST_ID and name.isprintable():
        return name
    return hashlib.sha256(name.encode()).hexdigest()


def _metadata(op: PutOp) -> Json:
    """Returns the metadata of an item's memory.

    Raises:
        TypeError: the value cannot be written as JSON.
        ValueError: it has a whole number beyond 2**53, which would lose digits.
    """
    encoded = json.dumps(op.value, allow_nan=False)
    value = json.loads(encoded)
    if json.loads(encoded, parse_int=float) != value:
        raise ValueError("whole numbers beyond 2**53 cannot be stored")
    prefixes = {
        f"p{depth}": ".".join(op.namespace[:depth]) for depth in range(1, len(op.namespace) + 1)
    }
    return {
        _NAME: {
            "namespace": list(op.namespace),
            "prefixes": prefixes,
            "key": op.key,
            "value": value,
            "indexed": op.index is not False,
        }
    }


def _in_namespace(prefix: Namespace) -> list[Json]:
    if not prefix:
        return []
    return [{f"{_METADATA}.prefixes.p{len(prefix)}": ".".join(prefix)}]


def _filters_of(wanted: Mapping[str, Any]) -> Iterator[Json]:
    """Yields LangGraph's conditions on values as filters of the server.

    Raises:
        ValueError: an operator is unknown, or a name has a dot, which would be a path.
    """
    for name, condition in wanted.items():
        if "." in name:
            raise ValueError(f"a filter cannot name a field with a dot: {name}")
        compared = condition if isinstance(condition, Mapping) else {"$eq": condition}
        if unknown := compared.keys() - _OPERATORS.keys():
            raise ValueError(f"unknown operators: {', '.join(sorted(unknown))}")
        operators = {_OPERATORS[operator]: value for operator, value in compared.items()}
        yield {f"{_METADATA}.value.{name}": operators}


def _filtered(conditions: Sequence[Json]) -> dict[str, Any]:
    return {"filters": {"AND": list(conditions)}} if conditions else {}


def _stored(memory: Memory) -> dict[str, Any]:
    stored: dict[str, Any] = _with_integers(memory.metadata[_NAME])
    return stored


def _with_integers(value: Any) -> Any:
    """Returns the JSON value with whole numbers as integers, because metadata has only floats."""
    if isinstance(value, dict):
        return {name: _with_integers(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_with_integers(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _namespace(memory: Memory) -> Namespace:
    return tuple(_stored(memory)["namespace"])


def _item(memory: Memory) -> Item:
    stored = _stored(memory)
    return Item(
        value=stored["value"],
        key=stored["key"],
        namespace=tuple(stored["namespace"]),
        created_at=memory.create_time,
        updated_at=memory.update_time,
    )


def _search_item(memory: Memory, score: float | None) -> SearchItem:
    item = _item(memory)
    return SearchItem(item.namespace, item.key, item.value, item.created_at, item.updated_at, score)


def _matches(condition: MatchCondition, namespace: Namespace) -> bool:
    path = condition.path
    if len(path) > len(namespace):
        return False
    part = namespace[: len(path)] if condition.match_type == "prefix" else namespace[-len(path) :]
    return all(wanted in {"*", label} for wanted, label in zip(path, part, strict=False))
