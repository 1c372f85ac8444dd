"""Conditions of filters on the columns of `memories AS m`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from server.adapters.postgres.filter_text import SYMBOLS, Bind, by_code_point, folded, has_part
from server.domain.filters import (
    TIMES,
    Column,
    Compared,
    Contains,
    OneOf,
    Present,
    Value,
)

_TYPES: Final = {
    **dict.fromkeys(Column, "text"),
    **dict.fromkeys(TIMES, "timestamptz"),
    Column.EXPIRATION_DATE: "date",
    Column.IMMUTABLE: "boolean",
}
_EXPRESSIONS: Final = {
    **{column: f"m.{column}" for column in Column},
    Column.ID: "m.memory_id::text",
}


def column_condition(
    item: OneOf | Compared | Contains | Present, column: Column, bind: Bind
) -> str:
    """The condition; it is null where the column is."""
    match item:
        case OneOf(_, values):
            return _one_of(column, values, bind)
        case Compared():
            return _compared(item, column, bind)
        case Contains():
            return _contains(item, column, bind)
        case Present():
            return _present(column)


def _one_of(column: Column, values: Sequence[Value], bind: Bind) -> str:
    if column is Column.CATEGORIES:
        return f"m.categories && {bind(list(values), 'text[]')}"
    if column is Column.ID:
        # As an id, so that the primary key serves it.
        return _equals("m.memory_id", "uuid", [value for value in values if _is_id(value)], bind)
    if column not in TIMES:
        return _equals(f"m.{column}", _TYPES[column], values, bind)
    instants = [value for value in values if isinstance(value, datetime)]
    days = [value for value in values if not isinstance(value, datetime)]
    at = _equals(f"m.{column}", "timestamptz", instants, bind)
    on = _equals(f"(m.{column} AT TIME ZONE 'UTC')::date", "date", days, bind)
    return f"({at} OR {on})"


def _equals(expression: str, of_type: str, values: Sequence[Value], bind: Bind) -> str:
    if not values:
        return "false"
    if len(values) == 1:
        return f"{expression} = {bind(values[0], of_type)}"
    return f"{expression} = ANY ({bind(list(values), f'{of_type}[]')})"


def _compared(item: Compared, column: Column, bind: Bind) -> str:
    of_type = _TYPES[column]
    left = _EXPRESSIONS[column]
    if of_type == "text":
        left = by_code_point(left)
    return f"{left} {SYMBOLS[item.comparison]} {bind(item.value, of_type)}"


def _contains(item: Contains, column: Column, bind: Bind) -> str:
    part = bind(item.value, "text")
    if column is not Column.CATEGORIES:
        return has_part(_EXPRESSIONS[column], part, ignore_case=item.ignore_case)
    if not item.ignore_case:
        return f"{part} = ANY (m.categories)"
    return (
        "EXISTS (SELECT FROM unnest(m.categories) AS item (value) "
        f"WHERE {folded('item.value')} = {folded(part)})"
    )


def _present(column: Column) -> str:
    if column is Column.CATEGORIES:
        return "cardinality(m.categories) > 0"
    return f"{_EXPRESSIONS[column]} IS NOT NULL"


def _is_id(value: Value) -> bool:
    try:
        return str(UUID(str(value))) == value
    except ValueError:
        return False
