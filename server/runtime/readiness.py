"""Watches whether calls can be served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from server.core.errors import MemoirError, StoreUnavailable
from server.maintenance import EmbedderIdentity, StoreReadiness, StoreUnready
from server.models.ports import Embedder

INTERVAL_SECONDS = 1.0
CHECK_SECONDS = 2.0

log = structlog.get_logger()


class EmbedderConflict(MemoirError):
    """The store was written with another embedder than this server's."""


async def require_ready(store: StoreReadiness, embedder: Embedder | None = None) -> None:
    """Checks that a command can use the store, and that its embedder, if any, is the store's.

    Raises:
        StoreUnready: the schema is outdated, or another embedder wrote the store.
        StoreUnavailable: the store cannot be reached.
    """
    fault = await store.schema_fault()
    if fault is None and embedder is not None:
        fault = await _embedder_fault(store, embedder)
    if fault is not None:
        raise StoreUnready(fault)


class ReadinessProbe:
    """Checks that PostgreSQL answers, has the current schema and was written by this embedder.

    Neo4j and the model provider are not checked: without them the service degrades, but serves.
    """

    def __init__(
        self,
        store: StoreReadiness,
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
                return await self._store.schema_fault() or await _embedder_fault(
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
                    conflict = await _embedder_fault(self._store, self._embedder)
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


async def _embedder_fault(store: StoreReadiness, embedder: Embedder) -> str | None:
    current = EmbedderIdentity(embedder.model, embedder.dimensions)
    stored = await store.claim_embedder(current)
    return None if stored == current else embedder_conflict(stored, current)


def embedder_conflict(stored: EmbedderIdentity, current: EmbedderIdentity) -> str:
    """Returns an error message for a store that another embedder wrote."""
    return (
        f"the store was written with the embedder {stored} and this server embeds with {current}; "
        "their vectors are not comparable. Start with the previous models, embed the store again "
        "(stop the servers and run: python -m server reembed), or use another database "
        "(MEMOIR_DATA_DIR or MEMOIR_POSTGRES_DSN)"
    )
