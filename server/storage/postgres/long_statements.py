"""Limits the number of concurrent long statements, and their time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from server.core.fairness import ActiveTenants, FairPlaces
from server.core.request_context import bounded, current_tenant
from server.core.transient_errors import Overloaded

CONNECTIONS_FOR_EACH: Final = 4
"""One long statement may run for this number of connections of the pool, but at least two."""

REST: Final = 3
"""While other tenants are active, a place rests for this multiple of the time it was used."""

LONGEST_REST_SECONDS: Final = 0.5
"""The maximum rest of a place."""

SHORTEST_SECONDS: Final = 1.0
"""The minimum time of a read, for any number of waiting reads."""


class LongStatements:
    """Limits the number of concurrent statements that read every value of a scope.

    A project whose filters keep all cores of PostgreSQL busy would slow down every other project,
    even though it does not get all connections. Tenants share the places fairly, and if several
    tenants are active, each gets one at a time, which then rests. Otherwise these statements and
    the server would leave no processor free, and commits of other tenants would wait for one.
    """

    def __init__(
        self, connections: int, wait_seconds: float, read_seconds: float, active: ActiveTenants
    ) -> None:
        """`connections` is the size of the pool, `read_seconds` a read's time if none waits."""
        places = max(2, connections // CONNECTIONS_FOR_EACH)
        self._places = FairPlaces(places, reserved=0, share=active.long_share)
        self._active = active
        self._wait_seconds = wait_seconds
        self._read_seconds = read_seconds

    @asynccontextmanager
    async def room(self) -> AsyncIterator[None]:
        """Waits for a place and holds it during the block.

        Raises:
            Overloaded: no place became free in time.
            DeadlineExceeded: the call's deadline has passed.
        """
        tenant = current_tenant()
        try:
            async with asyncio.timeout(bounded(self._wait_seconds)):
                await self._places.take(tenant)
        except TimeoutError as error:
            raise Overloaded from error
        loop = asyncio.get_running_loop()
        began = loop.time()
        try:
            yield
        finally:
            rest = min(REST * (loop.time() - began), LONGEST_REST_SECONDS)
            if tenant is not None and self._active.others_active(tenant):
                loop.call_later(rest, self._places.give_back, tenant)
            else:
                self._places.give_back(tenant)

    def read_seconds(self) -> float:
        """Returns the time of a read that begins now."""
        return max(SHORTEST_SECONDS, self._read_seconds / (1 + self._places.waiting))

    @asynccontextmanager
    async def time_to_read(self) -> AsyncIterator[None]:
        """Ends the block after a time that is shorter the more statements wait.

        Only for reads, because the outcome of an interrupted write would be unknown.

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
