"""Lists that are read page by page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

Item = TypeVar("Item")
Cursor = TypeVar("Cursor")


@dataclass(frozen=True, slots=True)
class Page(Generic[Item, Cursor]):
    """One page, and the place after which the next page begins, if there is one."""

    items: Sequence[Item]
    next: Cursor | None


def page_of(
    found: Sequence[Item], size: int, cursor_of: Callable[[Item], Cursor]
) -> Page[Item, Cursor]:
    """Returns the page of the first `size` items; one more item shows that there is a next page.

    `cursor_of` returns the place of the last item.
    """
    items = found[:size]
    return Page(items, cursor_of(items[-1]) if len(found) > size else None)
