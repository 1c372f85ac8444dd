"""Readiness of the store, another embedder, indexes for large scopes, erasing what expired."""

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
    """The store is not as it must be; the message says why and what to do."""


class OtherEmbedderWanted(MemoirError):
    """Another command has begun to give the store's texts to another embedder."""

    def __init__(self) -> None:
        super().__init__(
            "another `reembed` gives this store another embedder now: let one end before the next"
        )


class StoreInUse(MemoirError):
    """A command needs the store for itself, and a server is connected to it."""

    def __init__(self) -> None:
        super().__init__("a server is connected to this database; stop all servers first")


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


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A text as it is to be embedded, in the order of all texts; `key` is opaque."""

    key: str
    text: str


class Reembedding(Protocol):
    """The texts of a store that hold an embedding: of memories, and of their past states.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def begin(self, embedder: EmbedderIdentity) -> bool:
        """Makes the store unready until `finish`. False if it is of this embedder already.

        Goes on where one to the same embedder was interrupted; one to another begins anew.

        Raises:
            StoreInUse: a server is connected to it.
        """
        ...

    async def count(self) -> int:
        """How many texts there are still to do."""
        ...

    async def texts(self, limit: int) -> list[TextPlace]:
        """The next ones that are to do; empty when all are done."""
        ...

    async def replace(
        self, embedder: EmbedderIdentity, places: Sequence[TextPlace], embeddings: Sequence[Vector]
    ) -> None:
        """Stores the embeddings of these texts, and that they are done, in one transaction.

        Raises:
            OtherEmbedderWanted: one to another embedder was begun meanwhile.
        """
        ...

    async def finish(self, embedder: EmbedderIdentity) -> None:
        """Makes `embedder` the store's, and the store ready.

        Raises:
            OtherEmbedderWanted: one to another embedder was begun meanwhile.
        """
        ...


class SearchIndexing(Protocol):
    """The indexes by which large scopes find what is nearest to a question or shares words with it.

    Servers may go on working, and use the indexes, or do without them, within a minute. Both
    methods raise StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def build(
        self, memory_mib: int, on_progress: Callable[[int, int], None] = lambda _done, _total: None
    ) -> None:
        """Builds what is not there yet, with so much memory.

        Raises:
            StoreUnready: no server has worked on this store, so it has no embedder yet.
        """
        ...

    async def drop(self) -> None:
        """Removes all of them."""
        ...


class Retention(Protocol):
    """What no server should keep any longer, in all projects.

    Several servers may ask at once: one of them works, the others find nothing to do.
    """

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        """Erases up to `limit` memories of one project, deleted ones too; None if there are none.

        `call_of` makes the call for the project that was found. A memory that others change at this
        moment is left for the next time.

        Raises:
            StoreUnavailable: nothing was erased.
            ConcurrentChange: others changed the same memories; nothing was erased.
        """
        ...


class ProjectDeletion(Protocol):
    """Deleting a project in small steps. Every method raises StoreUnavailable."""

    async def begin(self, project_id: str, now: datetime) -> bool:
        """Closes the project to all calls and deletes its keys; False if nothing is kept of it.

        A server believes for a few seconds more what it has found about keys and projects.
        """
        ...

    async def count(self, project_id: str) -> int:
        """How many rows there are to delete."""
        ...

    async def delete_batch(self, project_id: str, limit: int) -> Mapping[str, int]:
        """Deletes up to `limit` rows and answers how many of which table; empty at the end.

        The graph follows by the outbox, which stays.
        """
        ...

    async def finish(self, project_id: str) -> None:
        """Deletes the project itself."""
        ...
