"""Mem0's filters in the names of the contract, whose grammar is the same otherwise."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson

from server.api.http.mem0.shapes import IDS
from server.core.errors import FieldViolation, InvalidRequest

_NAMES: Final[Mapping[str, str]] = {
    "created_at": "create_time",
    "updated_at": "update_time",
    "timestamp": "event_time",
    "memory": "text",
    "keywords": "text",
    "memory_id": "id",
    "memory_ids": "id",
    "session_id": "run_id",
}
# Paths of a filter are at most 16 objects deep; what is deeper is refused by the contract.
_DEEPEST: Final = 32


def translated(value: object, depth: int = 0) -> Any:
    """The filter with the contract's names; what is no filter at all stays as it is."""
    if depth > _DEEPEST or not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    conditions: list[Any] = []
    for name, item in value.items():
        if name in {"AND", "OR", "NOT"}:
            result[name] = _each(item, depth)
        elif name == "metadata" and isinstance(item, Mapping):
            conditions += [{f"metadata.{key}": wanted} for key, wanted in item.items()]
        elif (own := _NAMES.get(name, name)) in result:
            # Two of Mem0's names for one field, each with a condition of its own.
            conditions.append({own: item})
        else:
            result[own] = item
    return conjunction([result, *conditions]) if conditions else result


def _each(value: object, depth: int) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [translated(item, depth + 1) for item in value]
    return translated(value, depth + 1)


def conjunction(conditions: Iterable[Any]) -> Any:
    """One filter that holds where all of them do; None if there are none."""
    given = [condition for condition in conditions if condition or condition not in ({}, None)]
    if not given:
        return None
    return given[0] if len(given) == 1 else {"AND": given}


def plain_ids(value: object, named: Mapping[str, Any]) -> dict[str, Any]:
    """The ids of a filter that names a scope and nothing else, with those that are `named` anyway.

    Raises:
        InvalidRequest: it says more than that, or something else than what is named.
    """
    ids = {name: named[name] for name in IDS if name in named}
    if value is None:
        return ids
    violations: list[FieldViolation] = []
    _collect_ids(value, "filters", ids, violations)
    if violations:
        raise InvalidRequest(violations)
    return ids


def _collect_ids(
    value: object, path: str, ids: dict[str, Any], violations: list[FieldViolation]
) -> None:
    if not isinstance(value, Mapping):
        violations.append(FieldViolation(path, "must be an object"))
        return
    for name, item in value.items():
        own = _NAMES.get(name, name)
        if own in IDS and ids.setdefault(own, item) != item:
            violations.append(FieldViolation(f"{path}.{name}", "is named twice, differently"))
        elif own in IDS and not isinstance(item, str):
            violations.append(FieldViolation(f"{path}.{name}", "must be a string here"))
        elif own in IDS:
            continue
        elif name == "AND" and isinstance(item, list):
            for index, each in enumerate(item):
                _collect_ids(each, f"{path}.AND[{index}]", ids, violations)
        else:
            names = ", ".join(IDS)
            violations.append(FieldViolation(f"{path}.{name}", f"must be one of {names} here"))


def from_query(text: str) -> object:
    """A filter in a query: JSON, or a dictionary as Python prints it, which Mem0's clients send.

    Raises:
        InvalidRequest: it is neither.
    """
    for read in (orjson.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise InvalidRequest([FieldViolation("filters", "must be a JSON object")])
