"""Lets calls of one project that are committed at the same time share a statement.

Most of the cost of a small commit, for PostgreSQL and this process, does not depend on how much it
writes: preparing the statement, flushing the log, waking up. If eight adds of a message share a
statement, each costs a quarter. No call waits only to share: it shares a statement if it would
otherwise wait for others, or compete with them.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context, copy_context
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import asyncpg

from server.core.background import Background
from server.core.request_context import current_request, take_turn
from server.memories.changes import ChangeSet
from server.memories.ports import Committed

Record: TypeAlias = Callable[[Sequence[ChangeSet]], Awaitable[list[Committed | None]]]
"""Writes calls of one project in one transaction; returns None for a call that was not written."""

STATEMENTS_AT_ONCE: Final = 2
"""The maximum number of concurrent small commits of a project: one works while the other waits for
the disk."""

MOST_TOGETHER: Final = 32
"""The maximum number of calls in a statement; converting their values takes about a millisecond."""

LONG_SECONDS: Final = 0.25
"""The maximum time of a small commit that waits for no other transaction, on a busy machine."""

_FEW_ITEMS: Final = 10
_FEW_CHARACTERS: Final = 10_000


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A waiting call, with its context and deadline."""

    changes: ChangeSet
    context: Context
    deadline: float
    outcome: asyncio.Future[Committed | None]


@dataclass(slots=True)
class _Project:
    """The running statements and the waiting calls of one project."""

    running: int = 0
    waiting: deque[_Waiting] = field(default_factory=deque)


class CommitGroups:
    """Writes calls alone, or together with others of their project.

    A statement that has not ended after `long_seconds` waits for another transaction. It no longer
    counts, so that unrelated statements can start.
    """

    def __init__(self, record: Record, long_seconds: float = LONG_SECONDS) -> None:
        self._record = record
        self._long_seconds = long_seconds
        self._projects: dict[str, _Project] = {}
        self._statements = Background("commit-group")

    async def write(self, changes: ChangeSet) -> Committed | None:
        """Writes a call whose changes are all additions; returns None if it was not written.

        Raises:
            asyncpg.PostgresError, StoreUnavailable, DeadlineExceeded: nothing was stored, or the
                outcome is unknown.
        """
        if not _may_share(changes):
            [committed] = await self._record([changes])
            return committed
        project_id = changes.call.project_id
        project = self._projects.setdefault(project_id, _Project())
        if project.running >= STATEMENTS_AT_ONCE:
            outcome: asyncio.Future[Committed | None] = asyncio.get_running_loop().create_future()
            deadline = current_request().deadline
            project.waiting.append(_Waiting(changes, copy_context(), deadline, outcome))
            committed = await outcome
            await take_turn()
            return committed
        end = self._begin(project_id, project)
        try:
            [committed] = await self._record([changes])
            return committed
        finally:
            end()

    def _begin(self, project_id: str, project: _Project) -> Callable[[], None]:
        """Counts a starting statement; the returned function must be called at its end."""
        project.running += 1
        counts = True

        def end() -> None:
            nonlocal counts
            if counts:
                counts = False
                timer.cancel()
                project.running -= 1
                self._begin_next(project_id, project)

        timer = asyncio.get_running_loop().call_later(self._long_seconds, end)
        return end

    def _begin_next(self, project_id: str, project: _Project) -> None:
        """Starts a statement for waiting calls."""
        group: list[_Waiting] = []
        while project.waiting and len(group) < MOST_TOGETHER:
            waiting = project.waiting.popleft()
            # Skips cancelled calls.
            if not waiting.outcome.done():
                group.append(waiting)
        if group:
            # In the context of the call with the latest deadline, so that no call ends the others.
            longest = max(group, key=lambda waiting: waiting.deadline)
            self._statements.start(
                self._write_together(group),
                context=longest.context,
                on_end=self._begin(project_id, project),
            )
        elif not project.running:
            self._projects.pop(project_id, None)

    async def _write_together(self, group: Sequence[_Waiting]) -> None:
        try:
            written = await self._record([waiting.changes for waiting in group])
        except asyncpg.PostgresError:
            # One of the calls is faulty, and none was written.
            for waiting in group:
                await self._write_alone(waiting)
        except Exception as error:  # noqa: BLE001 - each of the calls raises it
            for waiting in group:
                _fail(waiting, error)
        else:
            for waiting, committed in zip(group, written, strict=True):
                if not waiting.outcome.done():
                    waiting.outcome.set_result(committed)

    async def _write_alone(self, waiting: _Waiting) -> None:
        try:
            [committed] = await self._record([waiting.changes])
        except Exception as error:  # noqa: BLE001 - the call raises it
            _fail(waiting, error)
        else:
            if not waiting.outcome.done():
                waiting.outcome.set_result(committed)


def _fail(waiting: _Waiting, error: Exception) -> None:
    if not waiting.outcome.done():
        waiting.outcome.set_exception(error)


def _may_share(changes: ChangeSet) -> bool:
    """Whether the call is so small that others hardly wait for it."""
    characters = sum(len(message.content) for message in changes.messages)
    return (
        len(changes.messages) + len(changes.added) <= _FEW_ITEMS and characters <= _FEW_CHARACTERS
    )
