"""A request id takes effect once."""

from __future__ import annotations

from uuid import uuid4

import pytest

from server.core.errors import (
    ConcurrentChange,
    EtagMismatch,
    MemoirError,
    MemoryNotFound,
    RequestIdReused,
)
from server.core.transient_errors import StoreUnavailable
from server.operations.idempotency import RequestKey, once

KEY = RequestKey(uuid4(), b"payload")
RIVALS = [
    RequestIdReused(KEY.id),
    ConcurrentChange(),
    EtagMismatch(uuid4()),
    MemoryNotFound(uuid4()),
]


async def race(error: MemoirError, answers: list[str | None]) -> str:
    """Returns the response when the action fails; `answers` are found before and after it."""

    async def earlier(_key: RequestKey) -> str | None:
        return answers.pop(0)

    async def act() -> str:
        raise error

    return await once(KEY, earlier, act)


@pytest.mark.parametrize("error", RIVALS, ids=lambda error: type(error).__name__)
async def test_the_loser_of_a_race_returns_the_response_of_the_winner(error: MemoirError) -> None:
    assert await race(error, [None, "done"]) == "done"


@pytest.mark.parametrize("error", RIVALS, ids=lambda error: type(error).__name__)
async def test_without_a_winner_the_error_is_raised(error: MemoirError) -> None:
    with pytest.raises(type(error)):
        await race(error, [None, None])


async def test_other_errors_cause_no_look_up() -> None:
    with pytest.raises(StoreUnavailable):
        await race(StoreUnavailable(), [None])


async def test_completed_calls_are_not_repeated() -> None:
    assert await race(ConcurrentChange(), ["done"]) == "done"
