"""Reads the fields of Mem0's requests, and translates their filters to those of the contract."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from server.api.http.exchange import Exchange
from server.core.errors import FieldViolation, InvalidRequest
from server.memories.scope import SCOPE_FIELDS

PROJECT_FIELDS: Final[tuple[str, ...]] = ("org_id", "project_id")
_MOST_DIGITS: Final = 9


def sent_fields(exchange: Exchange) -> dict[str, Any]:
    """Returns the fields of the body, with organization and project from the query if present."""
    fields = exchange.json_object()
    for name in PROJECT_FIELDS:
        if name in exchange.query:
            fields.setdefault(name, exchange.query[name])
    return {name: value for name, value in fields.items() if value is not None}


def query_fields(exchange: Exchange) -> dict[str, Any]:
    """Returns the fields of the query, with `filters` and `metadata` read from their text.

    Raises:
        InvalidRequest: their text cannot be read.
    """
    objects = {"filters", "metadata"}
    return {
        name: from_query(name, text) if name in objects else text
        for name, text in exchange.query.items()
    }


def project_of(exchange: Exchange) -> dict[str, Any]:
    """Returns organization and project from the query."""
    return {name: exchange.query[name] for name in PROJECT_FIELDS if name in exchange.query}


def used_fields(
    exchange: Exchange, fields: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any]:
    """Returns the fields with these names, and reports the others to the client as ignored.

    Mem0's clients send all options that callers give them, so unknown fields are not an error.
    """
    exchange.ignored += [name for name in fields if name not in names]
    return {name: value for name, value in fields.items() if name in names}


def with_joined_text(messages: object) -> object:
    """Returns the messages; a content that is a list of text parts becomes one text."""
    if not isinstance(messages, list):
        return messages
    return [_joined(message) for message in messages]


def _joined(message: object) -> object:
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        return message
    parts = message["content"]
    texts = [
        part["text"]
        for part in parts
        if isinstance(part, dict) and isinstance(part.get("text"), str)
    ]
    if len(texts) < len(parts):
        return message
    return {**message, "content": "\n".join(texts)}


def translated_categories(value: object) -> object:
    """Returns categories in the form of the contract; Mem0 uses `{name: description}`."""
    if isinstance(value, Mapping):
        value = [value]
    if not isinstance(value, list):
        return value
    return [category for item in value for category in _categories(item)]


def _categories(item: object) -> list[object]:
    if isinstance(item, str):
        return [{"name": item}]
    if isinstance(item, Mapping) and "name" not in item:
        return [{"name": name, "description": text} for name, text in item.items()]
    return [item]


def rfc3339_time(value: object, field: str) -> str:
    """Returns a time in RFC 3339, given in ISO 8601, as a date, or in Unix seconds.

    Raises:
        InvalidRequest: the value is none of these.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        problem = "must be a date, a time in ISO 8601, or Unix seconds"
        raise InvalidRequest([FieldViolation(field, problem)]) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def positive_number(values: Mapping[str, object], field: str, default: int, most: int) -> int:
    """Returns a number of the body or, as text, of the query.

    Raises:
        InvalidRequest: the value is not a whole number from 1 to `most`.
    """
    value = values.get(field)
    if value is None:
        return default
    text = str(value)
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    if not (is_number and 1 <= int(text) <= most):
        raise InvalidRequest([FieldViolation(field, f"must be a whole number from 1 to {most}")])
    return int(text)


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
# More than the 16 levels that the contract allows, so that the contract refuses deeper filters.
_DEEPEST: Final = 32


def translated_filter(value: object, depth: int = 0) -> Any:
    """Returns the filter with the contract's names; other values are returned unchanged."""
    if depth > _DEEPEST or not isinstance(value, Mapping):
        return value
    result: dict[str, Any] = {}
    conditions: list[Any] = []
    for name, item in value.items():
        if name in {"AND", "OR", "NOT"}:
            result[name] = _translated_inner(item, depth)
        elif name == "metadata" and isinstance(item, Mapping) and item:
            conditions += [{f"metadata.{key}": value} for key, value in item.items()]
        elif (contract_name := _NAMES.get(name, name)) in result:
            # Mem0 has two names for this field, and each has its own condition.
            conditions.append({contract_name: item})
        else:
            result[contract_name] = item
    return conjunction([result, *conditions]) if conditions else result


def _translated_inner(value: object, depth: int) -> Any:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [translated_filter(item, depth + 1) for item in value]
    return translated_filter(value, depth + 1)


def conjunction(conditions: Iterable[Any]) -> Any:
    """Returns a filter that combines the conditions by AND; None without conditions."""
    given = [condition for condition in conditions if condition not in ({}, None)]
    if not given:
        return None
    return given[0] if len(given) == 1 else {"AND": given}


def filters_of(sent: Mapping[str, Any], conditions: Iterable[Any] = ()) -> Any:
    """Returns a filter of the contract: `filters` and `metadata` of Mem0, and more conditions."""
    filters = sent.get("filters")
    if filters is not None and not isinstance(filters, Mapping):
        return filters
    metadata = {"metadata": sent["metadata"]} if sent.get("metadata") else None
    return conjunction([translated_filter(filters), translated_filter(metadata), *conditions])


def plain_ids(value: object, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the ids in a filter that contains only ids, together with those among the `fields`.

    Raises:
        InvalidRequest: the filter contains other conditions, or ids that contradict the fields.
    """
    ids = {name: fields[name] for name in SCOPE_FIELDS if name in fields}
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
        contract_name = _NAMES.get(name, name)
        if name == "AND" and isinstance(item, list) and item and all(item):
            for index, each in enumerate(item):
                _collect_ids(each, f"{path}.AND[{index}]", ids, violations)
        elif contract_name not in SCOPE_FIELDS:
            names = ", ".join(SCOPE_FIELDS)
            violations.append(FieldViolation(f"{path}.{name}", f"must be one of {names} here"))
        elif ids.setdefault(contract_name, item) != item:
            violations.append(
                FieldViolation(f"{path}.{name}", "is given twice with different values")
            )
        elif not isinstance(item, str):
            violations.append(FieldViolation(f"{path}.{name}", "must be a string here"))


def from_query(name: str, text: str) -> object:
    """Returns the object in a field of the query.

    Mem0's clients send it as JSON or as a printed Python dictionary.

    Raises:
        InvalidRequest: the text is neither.
    """
    for read in (orjson.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            continue
    raise InvalidRequest([FieldViolation(name, "must be a JSON object")])
