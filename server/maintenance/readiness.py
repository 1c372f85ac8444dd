"""Readiness: whether this server can use the store, and whether the store has its embedder."""

from __future__ import annotations

from server.core.errors import MemoirError
from server.maintenance.ports import StoreMaintenance
from server.maintenance.store import EmbedderIdentity, StoreUnready
from server.models.ports import Embedder


class EmbedderConflict(MemoirError):
    """The store was written with another embedder than this server's."""


async def require_ready(store: StoreMaintenance, embedder: Embedder | None = None) -> None:
    """Checks that a command can use the store, and that its embedder, if any, is the store's.

    Raises:
        StoreUnready: the schema is outdated, or another embedder wrote the store.
        StoreUnavailable: the store cannot be reached.
    """
    fault = await store.schema_fault()
    if fault is None and embedder is not None:
        fault = await embedder_fault(store, embedder)
    if fault is not None:
        raise StoreUnready(fault)


async def embedder_fault(store: StoreMaintenance, embedder: Embedder) -> str | None:
    """Returns None if the store has this embedder or now gets it, else an error message."""
    current = EmbedderIdentity(embedder.model, embedder.dimensions)
    stored = await store.claim_embedder(current)
    return None if stored == current else _conflict_message(stored, current)


def _conflict_message(stored: EmbedderIdentity, current: EmbedderIdentity) -> str:
    """Returns an error message for a store that another embedder wrote."""
    return (
        f"the store was written with the embedder {stored} and this server embeds with {current}; "
        "their vectors are not comparable. Start with the previous models, embed the store again "
        "(stop the servers and run: python -m server reembed), or use another database "
        "(MEMOIR_DATA_DIR or MEMOIR_POSTGRES_DSN)"
    )
