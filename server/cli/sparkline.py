"""Small curves of block characters."""

from __future__ import annotations

from collections.abc import Sequence

_BLOCKS = " ▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """The newest `width` values, from zero to the largest of them."""
    shown = values[-width:]
    top = max(shown, default=0.0)
    if top <= 0:
        return " " * len(shown)
    steps = len(_BLOCKS) - 1
    return "".join(
        _BLOCKS[max(1, round(value / top * steps)) if value > 0 else 0] for value in shown
    )
