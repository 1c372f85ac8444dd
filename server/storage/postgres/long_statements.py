"""Room for statements that look into every value of a scope, of which only a few run at a time.

A project whose filters keep all cores of PostgreSQL busy would slow down every other project, even
though it does not get all of the connections.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from server.core.errors import Overloaded
from server.core.fairness import FairPlaces
from server.core.request_context import bounded, current_tenant

CONNECTIONS_FOR_EACH: Final = 4
"""One such statement may run for so many connections of the pool, and always two."""

SHORTEST_SECONDS: Final = 1.0
"""The time that a read has, however many wait."""


class LongStatements:
    """The statements of this kind that run and wait. Tenants share the room fairly."""

    def __init__(self, connections: int, wait_seconds: float, read_seconds: float) -> None:
        """`connections` is the size of the pool, `read_seconds` a read's time if none waits."""
        self._places = FairPlaces(max(2, connections // CONNECTIONS_FOR_EACH), reserved=0)
        self._wait_seconds = wait_seconds
        self._read_seconds = read_seconds

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Waits for room, and has it during the block.

        Raises:
            Overloaded: there was none in time.
            DeadlineExceeded: the call's time is up.
        """
        tenant = current_tenant()
        try:
            async with asyncio.timeout(bounded(self._wait_seconds)):
                await self._places.take(tenant)
        except TimeoutError as error:
            raise Overloaded from error
        try:
            yield
        finally:
            self._places.give_back(tenant)

    def read_seconds(self) -> float:
        """Returns the time that a read has if it begins now."""
        return max(SHORTEST_SECONDS, self._read_seconds / (1 + self._places.waiting))

    @asynccontextmanager
    async def time_to_read(self) -> AsyncIterator[None]:
        """Ends the block after a time that gets shorter the more statements wait.

        Only for reads: nobody could say whether a write that was ended has happened.

        Raises:
            Overloaded: the time was up.
        """
        end = asyncio.timeout(self.read_seconds())
        try:
            async with end:
                yield
        except TimeoutError as error:
            if end.expired():
                raise Overloaded from error
            raise
