"""Checks every second whether calls can be served, for the health service and the log."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from server.core.errors import MemoirError
from server.core.transient_errors import StoreUnavailable
from server.maintenance import EmbedderConflict, StoreMaintenance, embedder_fault
from server.models.ports import Embedder

INTERVAL_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 2.0

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


class ReadinessProbe:
    """Checks that PostgreSQL answers, has the current schema and was written by this embedder.

    Neo4j and the model provider are not checked: without them the service degrades, but serves.
    """

    def __init__(
        self,
        store: StoreMaintenance,
        embedder: Embedder,
        set_ready: Callable[[bool], Awaitable[None]],
    ) -> None:
        self._store = store
        self._embedder = embedder
        self._set_ready = set_ready
        self._last_fault: str | None = "not checked yet"

    async def fault(self) -> str | None:
        """Returns None if calls can be served, else the reason and what to do."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await self._store.schema_fault() or await embedder_fault(
                    self._store, self._embedder
                )
        except TimeoutError:
            return f"PostgreSQL did not answer within {CHECK_SECONDS:g} s"
        except MemoirError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - a probe that ended would leave an outdated state
            return f"the store cannot be checked: {error!r}"

    async def refuse_other_embedder(self) -> None:
        """Raises an error if another embedder wrote the store.

        An unreachable store is no reason to refuse: the probe checks it again.

        Raises:
            EmbedderConflict: the store was written by another embedder.
        """
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                if await self._store.schema_fault() is None:
                    conflict = await embedder_fault(self._store, self._embedder)
                    if conflict is not None:
                        raise EmbedderConflict(conflict)
        except (TimeoutError, StoreUnavailable):
            return

    async def check(self) -> None:
        """Checks once, updates the health service, and logs changes."""
        fault = await self.fault()
        if fault != self._last_fault:
            if fault is None:
                log.info("readiness.ready")
            else:
                log.warning("readiness.not_ready", reason=fault)
        self._last_fault = fault
        await self._set_ready(fault is None)

    async def run(self) -> None:
        """Checks every second until cancelled."""
        while True:
            await self.check()
            await asyncio.sleep(INTERVAL_SECONDS)
