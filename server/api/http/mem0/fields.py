"""Taking the fields of Mem0's requests apart: what is understood, and what is not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from server.api.http.exchange import Exchange
from server.core.errors import FieldViolation, InvalidRequest

PROJECT: Final[tuple[str, ...]] = ("org_id", "project_id")
_MOST_DIGITS: Final = 9


def sent_fields(exchange: Exchange) -> dict[str, Any]:
    """The fields of the body, and organization and project from the query if they are there."""
    fields = exchange.json_object()
    for name in PROJECT:
        if name in exchange.query:
            fields.setdefault(name, exchange.query[name])
    return {name: value for name, value in fields.items() if value is not None}


def project_of(exchange: Exchange) -> dict[str, Any]:
    """Organization and project as the query names them."""
    return {name: exchange.query[name] for name in PROJECT if name in exchange.query}


def understood(
    exchange: Exchange, fields: Mapping[str, Any], names: Collection[str]
) -> dict[str, Any]:
    """The fields of these names. The others are reported to the client as ignored.

    Mem0's clients send whatever they are given, so fields that mean nothing here are no error.
    """
    exchange.ignored += [name for name in fields if name not in names]
    return {name: value for name, value in fields.items() if name in names}


def text_parts(messages: object) -> object:
    """Messages whose content comes in parts, with the parts of text put together."""
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


def categories(value: object) -> object:
    """Categories as the contract has them; Mem0 writes `{name: description}`."""
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


def instant(value: object, field: str) -> str:
    """A time in RFC 3339, from that, from a date, or from Unix seconds.

    Raises:
        InvalidRequest: it is none of these.
    """
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            moment = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        wanted = "must be a date, a time in ISO 8601, or Unix seconds"
        raise InvalidRequest([FieldViolation(field, wanted)]) from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def positive(values: Mapping[str, object], field: str, default: int, most: int) -> int:
    """A number of the body, or of the query, where it is a text.

    Raises:
        InvalidRequest: it is not a whole number between 1 and `most`.
    """
    value = values.get(field)
    if value is None:
        return default
    text = str(value)
    is_number = text.isascii() and text.isdecimal() and len(text) <= _MOST_DIGITS
    if not (is_number and 1 <= int(text) <= most):
        raise InvalidRequest([FieldViolation(field, f"must be a whole number from 1 to {most}")])
    return int(text)
