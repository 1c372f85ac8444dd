"""Scopes and filters as SQL conditions on `m`, the table of memories or rows with its columns.

Columns and operators come from fixed lists; the values of clients are bound by name.

A column that is null makes its condition null. AND, OR and WHERE treat null as false; NOT does not,
so a negation is written as `IS NOT TRUE`. Other conditions stay plain, so that an index can serve
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final, TypeAlias
from uuid import UUID

from server.memories.filters.filter import (
    TIMES,
    AllOf,
    AnyOf,
    Column,
    Compared,
    Comparison,
    Contains,
    Filter,
    MetadataPath,
    Not,
    OneOf,
    Present,
    Value,
)
from server.memories.scope import Scope

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database


@dataclass(frozen=True, slots=True)
class Condition:
    """An SQL condition for a slot, and the values of its parameters."""

    text: str
    values: Mapping[str, object]


def scope_condition(scope: Scope, table: str = "m", value: str = "{}") -> Condition:
    """Returns the condition on the named parts of a scope, which are columns of `table`.

    Each combination of parts has its own statement, so that PostgreSQL plans each with the best
    index, which a common statement with `OR ... IS NULL` would prevent. `value` is the notation of
    a parameter.
    """
    parts = dict(scope.parts())
    conditions = [f"{table}.{field} = {value.format(f':scope_{field}')}" for field in parts]
    values = {f"scope_{field}": part for field, part in parts.items()}
    return Condition(" AND ".join(conditions) or "true", values)


# Takes a value and its SQL type, and returns its parameter in the statement.
Bind: TypeAlias = Callable[[object, str], str]

SYMBOLS: Final = {
    Comparison.GT: ">",
    Comparison.GTE: ">=",
    Comparison.LT: "<",
    Comparison.LTE: "<=",
}


def by_code_point(text: str) -> str:
    """Returns the text with an order by code point, regardless of the database's collation."""
    return f'{text} COLLATE "C"'


def folded(text: str) -> str:
    """Returns the case-folded text, regardless of the database's locale."""
    return f'casefold({text} COLLATE "pg_unicode_fast")'


def has_part(text: str, part: str, *, ignore_case: bool) -> str:
    """Returns the condition that the text contains the part."""
    if ignore_case:
        text, part = folded(text), folded(part)
    return f"strpos({text}, {part}) > 0"


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
    """Returns the condition, which is null if the column is."""
    match item:
        case OneOf(_, values):
            return _one_of(column, values, bind)
        case Compared():
            return _column_compared(item, column, bind)
        case Contains():
            return _column_contains(item, column, bind)
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


def _column_compared(item: Compared, column: Column, bind: Bind) -> str:
    of_type = _TYPES[column]
    left = _EXPRESSIONS[column]
    if of_type == "text":
        left = by_code_point(left)
    return f"{left} {SYMBOLS[item.comparison]} {bind(item.value, of_type)}"


def _column_contains(item: Contains, column: Column, bind: Bind) -> str:
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


def metadata_condition(
    item: OneOf | Compared | Contains | Present, keys: Sequence[str], bind: Bind
) -> str:
    """Returns the condition, which can be null if the metadata has nothing at the path."""
    if isinstance(item, OneOf) and len(item.values) == 1:
        # Containment, which the index on the metadata serves if there is any. A scalar in an object
        # contains only itself.
        contained = bind(_document(keys, item.values[0]), "jsonb")
        return f"(m.metadata <> '{{}}' AND m.metadata @> {contained})"
    path = bind(list(keys), "text[]")
    # `->` with a text only enters objects, while `#>` would also enter lists.
    steps = "".join(f" -> ({path})[{place}]" for place in range(1, len(keys) + 1))
    found = f"(m.metadata{steps})"
    match item:
        case OneOf(_, values):
            return f"{found} = ANY ({bind(list(values), 'jsonb[]')})"
        case Compared():
            return _metadata_compared(item, found, bind)
        case Contains():
            return _metadata_contains(item, found, bind)
        case Present(_, null_counts):
            return f"{found} IS NOT NULL" if null_counts else f"jsonb_typeof({found}) <> 'null'"


def _metadata_compared(item: Compared, found: str, bind: Bind) -> str:
    symbol = SYMBOLS[item.comparison]
    if isinstance(item.value, str):
        text = by_code_point(_text(found))
        return f"({_is(found, 'string')} AND {text} {symbol} {bind(item.value, 'text')})"
    return f"({_is(found, 'number')} AND {found} {symbol} {bind(item.value, 'jsonb')})"


def _metadata_contains(item: Contains, found: str, bind: Bind) -> str:
    if not isinstance(item.value, str):
        return _has_item(found, item.value, bind)
    part = bind(item.value, "text")
    in_string = has_part(_text(found), part, ignore_case=item.ignore_case)
    if item.ignore_case:
        in_list = _has_folded_item(found, part)
    else:
        in_list = _has_item(found, item.value, bind)
    return f"(({_is(found, 'string')} AND {in_string}) OR {in_list})"


def _has_item(found: str, item: Value, bind: Bind) -> str:
    return f"{found} @> {bind([item], 'jsonb')}"


def _has_folded_item(found: str, item: str) -> str:
    # CASE, because the function fails if the value is not a list, and AND guarantees no order.
    return (
        f"CASE jsonb_typeof({found}) WHEN 'array' THEN EXISTS ("
        f"SELECT FROM jsonb_array_elements({found}) AS item (value) WHERE "
        f"{_is('item.value', 'string')} AND {folded(_text('item.value'))} = {folded(item)}) END"
    )


def _is(found: str, json_type: str) -> str:
    return f"jsonb_typeof({found}) = '{json_type}'"


def _text(found: str) -> str:
    return f"({found} #>> '{{}}')"


def _document(keys: Sequence[str], value: Value) -> object:
    document: object = value
    for key in reversed(keys):
        document = {key: document}
    return document


def reads_values(filters: Filter | None) -> bool:
    """Whether the filter searches texts or metadata with `contains` or `icontains`.

    No index serves that, so the whole value of each memory of the scope is read.
    """
    match filters:
        case AllOf(parts) | AnyOf(parts):
            return any(map(reads_values, parts))
        case Not(negated):
            return reads_values(negated)
    return isinstance(filters, Contains)


def reading(database: Database, filters: Filter | None) -> AbstractAsyncContextManager[Connection]:
    """Returns a connection for a statement that reads what a filter selects."""
    return database.long_read() if reads_values(filters) else database.connection()


def filter_condition(filters: Filter | None) -> Condition:
    """Returns the condition that a filter is compiled to."""
    if filters is None:
        return Condition("true", {})
    writer = _Writer()
    return Condition(writer.condition(filters), writer.values)


class _Writer:
    """Writes one condition and collects its values."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}

    def bind(self, value: object, of_type: str) -> str:
        name = f"filter_{len(self.values) + 1}"
        self.values[name] = value
        return f":{name}::{of_type}"

    def condition(self, item: Filter) -> str:
        match item:
            case AllOf(filters):
                return self._joined(filters, "AND", "true")
            case AnyOf(filters):
                return self._joined(filters, "OR", "false")
            case Not(negated):
                return f"(({self.condition(negated)}) IS NOT TRUE)"
        if isinstance(item.field, MetadataPath):
            return metadata_condition(item, item.field.keys, self.bind)
        return column_condition(item, item.field, self.bind)

    def _joined(self, filters: Sequence[Filter], word: str, empty: str) -> str:
        return "(" + (f" {word} ".join(map(self.condition, filters)) or empty) + ")"
