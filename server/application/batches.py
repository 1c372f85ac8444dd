"""Doing the items of a batch one after another, each with a result of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from server import failpoints
from server.application.once import RequestKey
from server.domain.errors import DeadlineExceeded, MemoirError, StoreUnavailable

T = TypeVar("T")


async def one_by_one(actions: Sequence[Callable[[], Awaitable[T]]]) -> list[T | MemoirError]:
    """What became of each item, in order. Items may rest on those before them.

    When the store is away, the items that are left are not tried.

    Raises:
        DeadlineExceeded: the time is up; what is done stays done.
    """
    outcomes: list[T | MemoirError] = []
    for act in actions:
        try:
            outcomes.append(await act())
            failpoints.reach("batch.middle")
        except DeadlineExceeded:
            raise
        except StoreUnavailable as error:
            return outcomes + [error] * (len(actions) - len(outcomes))
        except MemoirError as error:
            outcomes.append(error)
    return outcomes


def item_key(batch: RequestKey | None, index: int) -> RequestKey | None:
    """The key of the batch's item at `index`, from 0."""
    return batch and RequestKey(batch.id, batch.digest, index + 1)
