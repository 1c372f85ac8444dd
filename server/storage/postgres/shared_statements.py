"""Lets calls that need the same kind of statement at the same time share one.

Most of the cost of a small statement, for PostgreSQL and this process, does not depend on how much
it does: preparing it, flushing the log, waking up. If eight adds of a message share a statement,
each costs a quarter. No call waits only to share: it shares a statement if another one is running.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

import asyncpg

from server.core.background import Background
from server.core.request_context import current_request, take_turn

MOST_TOGETHER: Final = 32
"""The maximum number of calls in a statement; converting their values takes about a millisecond."""

LONG_SECONDS: Final = 0.25
"""The maximum time of a statement that waits for no other transaction, on a busy machine."""

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Waiting(Generic[Item, Answer]):
    """A waiting call, with its context and deadline."""

    item: Item
    context: Context
    deadline: float
    answer: asyncio.Future[Answer]


@dataclass(slots=True)
class _Group(Generic[Item, Answer]):
    """Whether a statement for a key is running, and the calls that wait for its end."""

    is_running: bool = False
    waiting: deque[_Waiting[Item, Answer]] = field(default_factory=deque)


class SharedStatements(Generic[Item, Answer]):
    """Runs a statement for one call alone, or for several calls with the same key.

    For each key, one statement runs at a time. The calls that come meanwhile share the next one. A
    statement that has not ended after `long_seconds` waits for another transaction. It no longer
    counts, so that the next one can start.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[Sequence[Item]], Awaitable[Sequence[Answer]]],
        long_seconds: float = LONG_SECONDS,
    ) -> None:
        """`run` runs a statement, which fails as a whole, and returns the answer for each item.

        All items of a key must belong to one project, whose rows the statement may read and write.
        """
        self._run = run
        self._long_seconds = long_seconds
        self._groups: dict[Hashable, _Group[Item, Answer]] = {}
        self._statements = Background(name)

    async def answer(self, key: Hashable, item: Item) -> Answer:
        """Returns the answer for an item, by a statement that begins after this call.

        What a call does with its answer is a step of its own, for which it waits here.

        Raises:
            asyncpg.PostgresError, StoreUnavailable, DeadlineExceeded: nothing was stored, or the
                outcome is unknown.
        """
        group = self._groups.setdefault(key, _Group())
        if group.is_running:
            future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
            deadline = current_request().deadline
            group.waiting.append(_Waiting(item, copy_context(), deadline, future))
            answer = await future
        else:
            end = self._begin(key, group)
            try:
                [answer] = await self._run([item])
            finally:
                end()
        await take_turn()
        return answer

    async def answer_alone(self, item: Item) -> Answer:
        """Returns the answer for an item by a statement of its own that begins at once.

        Raises:
            asyncpg.PostgresError, StoreUnavailable, DeadlineExceeded: as `answer`.
        """
        [answer] = await self._run([item])
        await take_turn()
        return answer

    def _begin(self, key: Hashable, group: _Group[Item, Answer]) -> Callable[[], None]:
        """Counts a starting statement; the returned function must be called at its end."""
        group.is_running = True
        counts = True

        def end() -> None:
            nonlocal counts
            if counts:
                counts = False
                timer.cancel()
                group.is_running = False
                self._begin_next(key, group)

        timer = asyncio.get_running_loop().call_later(self._long_seconds, end)
        return end

    def _begin_next(self, key: Hashable, group: _Group[Item, Answer]) -> None:
        """Starts a statement for waiting calls."""
        together: list[_Waiting[Item, Answer]] = []
        while group.waiting and len(together) < MOST_TOGETHER:
            waiting = group.waiting.popleft()
            # Skips cancelled calls.
            if not waiting.answer.done():
                together.append(waiting)
        if together:
            # In the context of the call with the latest deadline, so that no call ends the others.
            longest = max(together, key=lambda waiting: waiting.deadline)
            self._statements.start(
                self._answer_together(together),
                context=longest.context,
                on_end=self._begin(key, group),
            )
        else:
            self._groups.pop(key, None)

    async def _answer_together(self, together: Sequence[_Waiting[Item, Answer]]) -> None:
        try:
            answers = await self._run([waiting.item for waiting in together])
        except asyncpg.PostgresError:
            # One of the calls is faulty, and the statement did nothing.
            for waiting in together:
                await self._answer_one(waiting)
        except Exception as error:  # noqa: BLE001 - each of the calls raises it
            for waiting in together:
                _fail(waiting.answer, error)
        else:
            for waiting, answer in zip(together, answers, strict=True):
                if not waiting.answer.done():
                    waiting.answer.set_result(answer)

    async def _answer_one(self, waiting: _Waiting[Item, Answer]) -> None:
        try:
            [answer] = await self._run([waiting.item])
        except Exception as error:  # noqa: BLE001 - the call raises it
            _fail(waiting.answer, error)
        else:
            if not waiting.answer.done():
                waiting.answer.set_result(answer)


def _fail(future: asyncio.Future[Answer], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
