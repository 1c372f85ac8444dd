"""Doing a thing once per request id."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar
from uuid import UUID

from server.domain.errors import ConcurrentChange, EtagMismatch, NotFound, RequestIdReused

T = TypeVar("T")

# What a rival call of the same intent makes of this one: it was faster, so this one finds its work
# done, the memory changed or gone.
_RIVALS = (RequestIdReused, ConcurrentChange, EtagMismatch, NotFound)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """The client's id of one intent. `digest` stands for the payload.

    `item` is the place in a batch, from 1; 0 is a call of its own.
    """

    id: UUID
    digest: bytes
    item: int = 0

    def require_same(self, payload_digest: bytes) -> None:
        """Lets an earlier call with the same payload pass.

        Raises:
            RequestIdReused: the payloads differ.
        """
        if payload_digest != self.digest:
            raise RequestIdReused(self.id)


async def once(
    key: RequestKey | None,
    earlier: Callable[[RequestKey], Awaitable[T | None]],
    act: Callable[[], Awaitable[T]],
) -> T:
    """Acts, or answers what an earlier call with the key answered.

    `earlier` finds that answer; it raises RequestIdReused if the payload was another one.
    """
    if key is None:
        return await act()
    answer = await earlier(key)
    if answer is not None:
        return answer
    try:
        return await act()
    except _RIVALS:
        # The same call came twice at once and the other one was faster.
        answer = await earlier(key)
        if answer is None:
            raise
        return answer
