"""Whether the store can be worked on."""

from __future__ import annotations

from typing import Protocol


class StoreReadiness(Protocol):
    """Both methods raise StoreUnavailable where PostgreSQL cannot be reached."""

    async def schema_fault(self) -> str | None:
        """None where the schema is current, else what is wrong and which command mends it."""
        ...

    async def claim_embedder(self, model: str, dimensions: int) -> str:
        """Makes `model` the store's embedder if it has none yet; answers which one it has."""
        ...
