"""A store as a whole: its embedder, its texts, and why it may be unready."""

from __future__ import annotations

from dataclasses import dataclass

from server.core.errors import MemoirError


class StoreUnready(MemoirError):
    """The store is not ready for use; the message says why and what to do."""


class ReembeddingConflict(MemoirError):
    """A `reembed` to a different embedder is running."""

    def __init__(self) -> None:
        super().__init__(
            "a `reembed` to a different embedder is running on this store; wait until it has ended"
        )


class StoreInUse(MemoirError):
    """A command needs exclusive use of the store, but a server is connected to it."""

    def __init__(self) -> None:
        super().__init__("a server is connected to this database; stop all servers first")


@dataclass(frozen=True, slots=True)
class EmbedderIdentity:
    """Vectors are comparable only if their embedders have the same identity."""

    model: str
    dimensions: int

    def __str__(self) -> str:
        """Returns the identity as text for messages."""
        return f"{self.model} ({self.dimensions} dimensions)"


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A text to embed, and its place among all texts; `key` is opaque."""

    key: str
    text: str
