"""Freeing what servers held that are gone, in every server."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from datetime import timedelta

import structlog

from server.domain.errors import MemoirError
from server.ports.presence import Presence

INTERVAL = timedelta(seconds=1)

log = structlog.get_logger()


class FreeLeases:
    """Ends the leases of a server that is missing at two looks in a row.

    Twice, because a server that lives replaces a lost connection sooner. Should it not, the work in
    its hands is done again by another one, and its own commit refused. `on_freed` is told that
    there is something to be taken.
    """

    def __init__(
        self, presence: Presence, on_freed: Callable[[], None], interval: timedelta = INTERVAL
    ) -> None:
        self._presence = presence
        self._on_freed = on_freed
        self._interval = interval
        self._suspects: AbstractSet[int] = frozenset()

    async def run(self) -> None:
        """Looks again and again until it is cancelled."""
        while True:
            try:
                await self.look()
            except Exception as error:
                # The next look may succeed. Who is missing after an outage may not be back yet.
                self._suspects = frozenset()
                # The pool tells of an outage.
                if not isinstance(error, MemoirError):
                    log.error("servers.not_looked_for", exc_info=error)
            await asyncio.sleep(self._interval.total_seconds())

    async def look(self) -> None:
        """Looks once.

        Raises:
            StoreUnavailable: PostgreSQL cannot be reached.
        """
        missing = await self._presence.missing()
        gone = missing & self._suspects
        self._suspects = missing - gone
        if not gone:
            return
        leases = await self._presence.end_leases(gone)
        if not leases:
            # As after each stop in good order.
            log.info("servers.gone", servers=len(gone), leases=0)
            return
        log.warning("servers.gone", servers=len(gone), leases=leases)
        self._on_freed()
