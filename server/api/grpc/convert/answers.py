"""Limits answers to the size that clients receive by default, however large their items are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from itertools import accumulate, takewhile
from typing import TypeVar

from google.protobuf.message import Message

from server.core.pages import MAX_ANSWER_BYTES, MAX_ITEMS_BYTES

ResponseT = TypeVar("ResponseT", bound=Message)

# The tag and the length of an item in a repeated field.
_ITEM_OVERHEAD = 8


def fits(response: Message) -> bool:
    """Whether every client can receive the message."""
    return response.ByteSize() <= MAX_ANSWER_BYTES


def fitting_count(items: Iterable[Message], budget: int = MAX_ITEMS_BYTES) -> int:
    """Returns how many of the first items fit into `budget` bytes."""
    sizes = accumulate(item.ByteSize() + _ITEM_OVERHEAD for item in items)
    return sum(1 for _ in takewhile(lambda size: size <= budget, sizes))


async def fitting_page(
    page: Callable[[int], Awaitable[ResponseT]], page_size: int, items: str
) -> ResponseT:
    """A page of at most `page_size` items, or of as many as fit.

    `page` answers the page of a size, whose items are in the field `items`. A page that is too
    large is asked for again, with as many items as fit, so that its token is that of its end. No
    item is too large by itself: the bounds of what can be stored see to that.
    """
    response = await page(page_size)
    while not fits(response) and page_size > 1:
        page_size = max(1, min(page_size - 1, fitting_count(getattr(response, items))))
        response = await page(page_size)
    return response
