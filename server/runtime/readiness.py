"""Watching whether calls can be served."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from server.core.errors import MemoirError, StoreUnavailable
from server.maintenance.ports import EmbedderIdentity, StoreReadiness, StoreUnready
from server.models.ports import Embedder

INTERVAL_SECONDS = 1.0
CHECK_SECONDS = 2.0

log = structlog.get_logger()


class EmbedderConflict(MemoirError):
    """The store was written with another embedder than this server's."""


async def require_ready(store: StoreReadiness, embedder: Embedder | None = None) -> None:
    """Returns if a command can work on the store, and embed for it where it has an embedder.

    Raises:
        StoreUnready: the schema is behind, or another embedder wrote the store.
        StoreUnavailable: it cannot be reached.
    """
    fault = await store.schema_fault()
    if fault is None and embedder is not None:
        fault = await _embedder_fault(store, embedder)
    if fault is not None:
        raise StoreUnready(fault)


class ReadinessProbe:
    """Says whether PostgreSQL answers, has the current schema and was written by this embedder.

    Neo4j and the model provider are not asked: without them the service degrades, but serves.
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
        """None where calls can be served, else why not and what to do."""
        try:
            async with asyncio.timeout(CHECK_SECONDS):
                return await self._store.schema_fault() or await _embedder_fault(
                    self._store, self._embedder
                )
        except TimeoutError:
            return f"PostgreSQL did not answer within {CHECK_SECONDS:g} s"
        except MemoirError as error:
            return error.message
        except Exception as error:  # noqa: BLE001 - a probe that ends would leave its last word standing
            return f"the store cannot be checked: {error!r}"

    async def refuse_other_embedder(self) -> None:
        """Returns unless the store says that another embedder wrote it.

        A store that cannot be asked yet is no reason to refuse: the probe goes on asking.

        Raises:
            EmbedderConflict: it was written by another one.
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
        """Checks once, tells the health service, and logs what has changed."""
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
    """Why a store cannot be searched with another embedder than the one that wrote it."""
    return (
        f"the store was written with the embedder {stored} and this server embeds with {current}; "
        "their vectors do not compare. Start with the former models, embed the store anew (stop "
        "the servers and run: python -m server reembed), or take another database "
        "(MEMOIR_DATA_DIR or MEMOIR_POSTGRES_DSN)"
    )
