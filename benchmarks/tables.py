"""Results as text of at most 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

WIDTH: Final = 80
_MARGIN = "  "


def grouped_table(headers: Sequence[str], groups: Mapping[str, Sequence[Sequence[str]]]) -> str:
    """Returns a table with the name of each group on its own line, which avoids a wide column.

    The first of the `headers`, and of each row's cells, is the label; the others are figures.

    Raises:
        ValueError: the table would be wider than 80 columns.
    """
    rows = [headers, *(row for rows in groups.values() for row in rows)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_line(headers, widths)]
    for name, members in groups.items():
        lines += [name, *(_line(row, widths) for row in members)]
    if (widest := max(map(len, lines))) > WIDTH:
        raise ValueError(f"the table would take {widest} columns")
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    (label, *figures), (label_width, *others) = cells, widths
    right = (f" {figure:>{width}}" for figure, width in zip(figures, others, strict=True))
    return (_MARGIN + label.ljust(label_width) + "".join(right)).rstrip()
