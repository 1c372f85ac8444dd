"""Whether the store can be worked on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """What two vectors must have in common to be compared."""

    model: str
    dimensions: int

    def __str__(self) -> str:
        """As people read it."""
        return f"{self.model} ({self.dimensions} dimensions)"


class StoreReadiness(Protocol):
    """Both methods raise StoreUnavailable where PostgreSQL cannot be reached."""

    async def schema_fault(self) -> str | None:
        """None where the schema is current, else what is wrong and which command mends it."""
        ...

    async def claim_embedder(self, embedder: EmbedderIdentity) -> EmbedderIdentity:
        """Makes `embedder` the store's if it has none yet; answers which one it has.

        Raises:
            StoreUnready: it is being changed.
        """
        ...
