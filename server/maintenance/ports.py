"""Ports for the store's readiness, its embedder, search indexes, retention and project deletion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol

from server.core.errors import MemoirError
from server.core.values import Vector
from server.memories.ports import Call
from server.memories.scope import DeletionReceipt


class StoreUnready(MemoirError):
    """The store is not ready for use; the message says why and what to do."""


class OtherEmbedderWanted(MemoirError):
    """Another `reembed` command is changing the store to another embedder."""

    def __init__(self) -> None:
        super().__init__(
            "another `reembed` is changing this store to another embedder; wait until it has ended"
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


class StoreReadiness(Protocol):
    """Checks the store. Both methods raise StoreUnavailable if PostgreSQL cannot be reached."""

    async def schema_fault(self) -> str | None:
        """Returns None if the schema is current, else the fault and the command that fixes it."""
        ...

    async def claim_embedder(self, embedder: EmbedderIdentity) -> EmbedderIdentity:
        """Makes `embedder` the store's embedder if it has none, and returns the store's embedder.

        Raises:
            StoreUnready: the embedder is being changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A text to embed, and its place among all texts; `key` is opaque."""

    key: str
    text: str


class Reembedding(Protocol):
    """The texts of a store that have an embedding: of memories and of their past states.

    Every method raises StoreUnavailable if PostgreSQL cannot be reached.
    """

    async def begin(self, embedder: EmbedderIdentity) -> bool:
        """Makes the store unready until `finish`; False if it already has this embedder.

        Continues an interrupted change to the same embedder; a change to another embedder starts
        over.

        Raises:
            StoreInUse: a server is connected to the store.
        """
        ...

    async def count(self) -> int:
        """Returns the number of texts that are left to embed."""
        ...

    async def texts(self, limit: int) -> list[TextPlace]:
        """Returns the next texts to embed; empty when all are done."""
        ...

    async def replace(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> None:
        """Stores the embeddings of these texts and marks them as done, in one transaction.

        Raises:
            OtherEmbedderWanted: a change to another embedder was started in the meantime.
        """
        ...

    async def finish(self, embedder: EmbedderIdentity) -> None:
        """Makes `embedder` the store's embedder, and the store ready again.

        Raises:
            OtherEmbedderWanted: a change to another embedder was started in the meantime.
        """
        ...


class SearchIndexing(Protocol):
    """The indexes that speed up searches of large scopes, by vectors and by words.

    Servers may keep working; they start or stop using the indexes within a minute. Both methods
    raise StoreUnavailable if PostgreSQL cannot be reached.
    """

    async def build(
        self, memory_mib: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Builds the missing indexes, with this much memory.

        Raises:
            StoreUnready: no server has used this store yet, so it has no embedder.
        """
        ...

    async def drop(self) -> None:
        """Removes all the indexes."""
        ...


class Retention(Protocol):
    """Erases memories in all projects whose retention has ended.

    Several servers may call it at once: one of them does the work, the others find nothing to do.
    """

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        """Erases up to `limit` memories of one project, including deleted ones.

        Returns None if no memories are due. `call_of` creates the call for the project that was
        found. A memory that another call is changing is left for the next time.

        Raises:
            StoreUnavailable: nothing was erased.
            ConcurrentChange: other calls changed the same memories; nothing was erased.
        """
        ...


class ProjectDeletion(Protocol):
    """Deleting a project in small steps. Every method raises StoreUnavailable."""

    async def begin(self, project_id: str, now: datetime) -> bool:
        """Closes the project to all calls and deletes its keys; False if nothing of it is stored.

        Servers use cached keys and projects for a few more seconds.
        """
        ...

    async def count(self, project_id: str) -> int:
        """Returns the number of rows that are left to delete."""
        ...

    async def delete_batch(self, project_id: str, limit: int) -> Mapping[str, int]:
        """Deletes up to `limit` rows and returns their number by table; empty at the end.

        The graph is updated through the outbox, which stays.
        """
        ...

    async def finish(self, project_id: str) -> None:
        """Deletes the project itself."""
        ...
