"""A project's rows, read as a whole and written as a whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from server.core.values import Vector
from server.projects.archive.format import ArchiveHeader, RowKind
from server.projects.archive.mem0 import Mem0Memory


class ProjectSnapshot(Protocol):
    """A project as it was at one instant."""

    @property
    def last_position(self) -> int:
        """The highest place of a change; 0 where there is none."""
        ...

    @property
    def embedding_model(self) -> str | None:
        """Which model made the store's embeddings; None where nothing was ever embedded."""
        ...

    @property
    def counts(self) -> Mapping[RowKind, int]:
        """How many rows there are of each kind."""
        ...

    def rows(self, kind: RowKind, *, embeddings: bool) -> AsyncIterator[list[str]]:
        """The rows of a kind as JSON objects, in batches, in an order that is always the same.

        They do not name the project. Those that have embeddings hold them if asked.
        """
        ...


class ProjectReader(Protocol):
    """Reads whole projects."""

    def snapshot(self, project_id: str) -> AbstractAsyncContextManager[ProjectSnapshot]:
        """The project as it is at the begin of the block.

        Raises:
            ProjectUnknown: there is none.
            StoreUnavailable: the store cannot be reached.
        """
        ...


class ProjectWriter(Protocol):
    """Writes whole projects. Each call is a transaction."""

    async def begin(self, project_id: str, header: ArchiveHeader) -> None:
        """Makes the project ready for the archive: later changes come after those in it.

        Raises:
            ProjectUnknown: there is none.
            ProjectOccupied: it holds something that is of no archive, or of another one.
        """
        ...

    async def write(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        """Writes rows without vectors as a snapshot gives them, and answers how many were new.

        What is there already stays as it is.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...

    async def missing(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        """Of these rows of memories, or passages, those that are to be written.

        Neither there, nor changed or deleted since.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...

    async def write_embedded(
        self,
        project_id: str,
        rows: Sequence[str],
        embeddings: Sequence[Vector],
        kind: RowKind = RowKind.MEMORY,
    ) -> int:
        """Writes memories, or passages, with one embedding a row, and counts the new ones.

        The graph follows the memories.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...


class Mem0Table(Protocol):
    """A table of Mem0 OSS."""

    async def count(self) -> int:
        """How many memories it holds."""
        ...

    def memories(self) -> AsyncIterator[list[Mem0Memory]]:
        """All of them in batches, the oldest first."""
        ...
