"""Waiting until the graph holds an earlier write."""

from __future__ import annotations

import asyncio

from server.domain.errors import GraphBehind
from server.domain.request_context import bounded
from server.ports.outbox import Outbox

CATCH_UP_SECONDS = 5.0
CATCH_UP_INTERVAL_SECONDS = 0.02


class CaughtUp:
    """Waits for the projector, which may be another server's."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox

    async def __call__(
        self, project_id: str, position: int | None, seconds: float = CATCH_UP_SECONDS
    ) -> None:
        """Returns when the graph holds the write at `position`; at once for None.

        Raises:
            GraphBehind: it does not within `seconds`, or within the call's own time.
            StoreUnavailable: that cannot be found out.
        """
        if position is None:
            return
        try:
            async with asyncio.timeout(bounded(seconds)):
                # Any replica may do the projecting, so there is no event to wait for in here.
                while not await self._outbox.is_caught_up(project_id, position):  # noqa: ASYNC110
                    await asyncio.sleep(CATCH_UP_INTERVAL_SECONDS)
        except TimeoutError as error:
            raise GraphBehind from error
