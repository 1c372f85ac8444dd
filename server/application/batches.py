"""Doing the items of a batch one after another, each with a result of its own."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar

from server import failpoints
from server.application.once import RequestKey
from server.domain.errors import DeadlineExceeded, MemoirError, StoreUnavailable
from server.domain.identifiers import new_id
from server.domain.request_context import current_request
from server.domain.scope import Scope
from server.ports.memory_store import Call

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


def batch_call(project_id: str, method: str, now: datetime, key: RequestKey | None) -> Call:
    """The call that stands for the batch itself; it changes no memory and has no scope."""
    return Call(
        id=new_id(now),
        project_id=project_id,
        scope=Scope(),
        method=method,
        time=now,
        correlation_id=current_request().correlation_id,
        traceparent=current_request().traceparent,
        embedding_model="",
        request_id=key.id if key else None,
        payload_digest=key.digest if key else b"",
    )
