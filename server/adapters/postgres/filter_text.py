"""What conditions on columns and on metadata have in common."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from server.domain.filters import Comparison

# Takes a value and its SQL type, and answers the parameter that stands for it in the statement.
Bind: TypeAlias = Callable[[object, str], str]

SYMBOLS: Final = {
    Comparison.GT: ">",
    Comparison.GTE: ">=",
    Comparison.LT: "<",
    Comparison.LTE: "<=",
}


def by_code_point(text: str) -> str:
    """The text, ordered by code point, whatever the database's own order is."""
    return f'{text} COLLATE "C"'


def folded(text: str) -> str:
    """The text without differences of case, whatever the database's own locale is."""
    return f'casefold({text} COLLATE "pg_unicode_fast")'


def has_part(text: str, part: str, *, ignore_case: bool) -> str:
    """The text contains the part."""
    if ignore_case:
        text, part = folded(text), folded(part)
    return f"strpos({text}, {part}) > 0"
