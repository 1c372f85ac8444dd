"""Filters as SQL conditions on `m`, the table of memories or rows with its columns.

Columns and operators come from fixed lists, everything that a client says is bound.

A column that is null makes its condition null, which is neither a yes nor a no. AND, OR and WHERE
treat that as a no; NOT does not, so it is written as `IS NOT TRUE`. Conditions that are asked for
stay plain that way, and an index can serve them.
"""

from __future__ import annotations

from collections.abc import Sequence

from server.adapters.postgres.filter_columns import column_condition
from server.adapters.postgres.filter_metadata import metadata_condition
from server.domain.filters import AllOf, AnyOf, Filter, MetadataPath, Not


def filter_condition(filters: Filter | None, first_parameter: int) -> tuple[str, list[object]]:
    """The SQL condition, and the values to bind to it from `$first_parameter` on."""
    if filters is None:
        return "true", []
    writer = _Writer(first_parameter)
    return writer.condition(filters), writer.values


class _Writer:
    """Writes one condition and collects its values."""

    def __init__(self, first_parameter: int) -> None:
        self._first = first_parameter
        self.values: list[object] = []

    def bind(self, value: object, of_type: str) -> str:
        self.values.append(value)
        return f"${self._first + len(self.values) - 1}::{of_type}"

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
