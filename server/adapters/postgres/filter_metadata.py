"""Conditions of filters on the metadata of `memories AS m`."""

from __future__ import annotations

from collections.abc import Sequence

from server.adapters.postgres.filter_text import SYMBOLS, Bind, by_code_point, folded, has_part
from server.domain.filters import Compared, Contains, OneOf, Present, Value


def metadata_condition(
    item: OneOf | Compared | Contains | Present, keys: Sequence[str], bind: Bind
) -> str:
    """The condition; it can be null where the metadata has nothing at the path."""
    if isinstance(item, OneOf) and len(item.values) == 1:
        # Containment, which the index on the metadata serves. A scalar inside of an object contains
        # nothing but itself.
        return f"m.metadata @> {bind(_document(keys, item.values[0]), 'jsonb')}"
    path = bind(list(keys), "text[]")
    # `->` with a text goes through objects only, where `#>` would also count the items of lists.
    steps = "".join(f" -> ({path})[{place}]" for place in range(1, len(keys) + 1))
    found = f"(m.metadata{steps})"
    match item:
        case OneOf(_, values):
            return f"{found} = ANY ({bind(list(values), 'jsonb[]')})"
        case Compared():
            return _compared(item, found, bind)
        case Contains():
            return _contains(item, found, bind)
        case Present(_, null_counts):
            return f"{found} IS NOT NULL" if null_counts else f"jsonb_typeof({found}) <> 'null'"


def _compared(item: Compared, found: str, bind: Bind) -> str:
    symbol = SYMBOLS[item.comparison]
    if isinstance(item.value, str):
        text = by_code_point(_text(found))
        return f"({_is(found, 'string')} AND {text} {symbol} {bind(item.value, 'text')})"
    return f"({_is(found, 'number')} AND {found} {symbol} {bind(item.value, 'jsonb')})"


def _contains(item: Contains, found: str, bind: Bind) -> str:
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
    # CASE, because the function fails on what is no list, and AND does not promise an order.
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
