"""Ports that read and write whole projects."""

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
        """The highest position of a change; 0 if there is none."""
        ...

    @property
    def embedding_model(self) -> str | None:
        """The model that made the store's embeddings; None if nothing was ever embedded."""
        ...

    @property
    def counts(self) -> Mapping[RowKind, int]:
        """The number of rows of each kind."""
        ...

    def rows(self, kind: RowKind, *, embeddings: bool) -> AsyncIterator[list[str]]:
        """Yields the rows of a kind as JSON objects, in batches and in a stable order.

        They do not name the project. Embeddings are included if `embeddings` is true.
        """
        ...


class ProjectArchives(Protocol):
    """Reads and writes whole projects. Each writing call is one transaction."""

    def snapshot(self, project_id: str) -> AbstractAsyncContextManager[ProjectSnapshot]:
        """Opens a snapshot of the project as of the start of the block.

        Raises:
            ProjectUnknown: there is no such project.
            StoreUnavailable: the store cannot be reached.
        """
        ...

    async def begin(self, project_id: str, header: ArchiveHeader) -> None:
        """Prepares the project for the archive, so that later changes come after those in it.

        Raises:
            ProjectUnknown: there is no such project.
            ProjectOccupied: it holds something that does not come from this archive.
        """
        ...

    async def write(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        """Writes rows without vectors, as a snapshot returns them, and returns how many were new.

        Existing rows stay unchanged.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...

    async def missing(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        """Returns those of the rows, of memories or passages, that still have to be written.

        Those are the ones that are not stored and have not been changed or deleted since.

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
        """Writes memories or passages, one embedding for each row, and returns how many were new.

        Memories are also queued for the graph.

        Raises:
            ArchiveUnusable: a row does not fit.
        """
        ...


class Mem0Table(Protocol):
    """A table of Mem0 OSS, or an account of Mem0's platform.

    Its methods raise StoreUnavailable if it cannot be reached.
    """

    async def count(self) -> int:
        """Returns how many memories it holds."""
        ...

    def memories(self) -> AsyncIterator[list[Mem0Memory]]:
        """Yields all memories in batches, oldest first."""
        ...
