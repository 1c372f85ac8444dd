"""Connections that were given back a moment ago, ready for the next call.

asyncpg's pool takes 0.1 ms to hand a connection out and take it back, a third of a short statement:
among other things, it starts a task for each return. Connections that are in steady use therefore
stay outside of it, and return to it once in a while, so that it still replaces old ones and closes
idle ones.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import asyncpg

from server.storage.postgres.row_security import confined

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

RETURN_SECONDS: Final = 10.0
"""How often all spare connections return to the pool."""


class SpareConnections:
    """The connections that nobody uses and the pool does not have."""

    def __init__(self, give_back: Callable[[Connection], None]) -> None:
        """`give_back` returns a connection to the pool, or what is left of a closed one."""
        self._give_back = give_back
        self._connections: list[Connection] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def take(self, project_id: str | None) -> Connection | None:
        """Returns the one that was used last, whose caches are warm, or None if there is none.

        Where row-level security applies, that is the last one that showed the project's rows, and
        else the one that was not used for longest, so that busy projects keep theirs.
        """
        while self._connections:
            connection = self._connections.pop(self._best(project_id))
            if _is_open(connection):
                return connection
            self._give_back(connection)
        return None

    def _best(self, project_id: str | None) -> int:
        for index in range(len(self._connections) - 1, -1, -1):
            connection = self._connections[index]
            if not _is_open(connection) or confined(connection).shows(project_id):
                return index
        return 0

    def put(self, connection: Connection) -> None:
        """Keeps a healthy connection: open, and outside of any transaction."""
        self._connections.append(connection)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(RETURN_SECONDS, self.return_all)

    def return_all(self) -> None:
        """Returns all of them to the pool."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._connections:
            self._give_back(self._connections.pop())


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has already taken it back, because the server dropped it.
        return False
