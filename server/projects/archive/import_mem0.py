"""Imports the memories of a Mem0 OSS installation, or of an account of Mem0's platform."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import NAMESPACE_URL, UUID, uuid5

from server.models.ports import Embedder, EmbeddingPurpose
from server.projects.archive.format import ArchiveHeader, RowKind
from server.projects.archive.mem0 import Mem0Memory, Mem0Rows, Mem0Unusable, to_rows
from server.projects.archive.ports import Mem0Table, ProjectWriter

EXAMPLES = 3


@dataclass(slots=True)
class Mem0Imported:
    """How many memories were imported and skipped, with examples of skipped ones."""

    read: int = 0
    new: int = 0
    duplicates: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[UUID]] = field(default_factory=dict)


class ImportMem0:
    """Writes the memories of a Mem0 table or account into a project of its own.

    Ids, times, scopes and metadata are kept; texts are embedded again. If memories of one scope say
    the same, only the oldest is kept. The import can be repeated; memories that are already there
    stay unchanged.
    """

    def __init__(self, table: Mem0Table, writer: ProjectWriter, embedder: Embedder) -> None:
        self._table = table
        self._writer = writer
        self._embedder = embedder

    async def __call__(
        self,
        project_id: str,
        table_name: str,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Mem0Imported:
        """Imports every memory of the table.

        Raises:
            ArchiveUnusable: a memory does not fit the tables.
            ProjectUnknown: there is no such project.
            ProjectOccupied: it holds something else.
            ModelUnavailable, ModelQuotaExhausted: the embedder failed; repeat the import later.
            StoreUnavailable: the store cannot be reached.
        """
        total = await self._table.count()
        archive = uuid5(NAMESPACE_URL, f"mem0:{table_name}")
        await self._writer.begin(project_id, ArchiveHeader(archive, total))
        taken = Mem0Imported()
        # Remembering what came before takes 48 bytes a memory, so a table of millions fits.
        seen: set[bytes] = set()
        async for batch in self._table.memories():
            rows = list(self._rows(batch, taken, seen))
            taken.new += await self._write(project_id, rows)
            on_progress(taken.read, total)
        return taken

    def _rows(
        self, batch: Sequence[Mem0Memory], taken: Mem0Imported, seen: set[bytes]
    ) -> list[Mem0Rows]:
        kept = []
        for memory in batch:
            taken.read += 1
            try:
                rows = to_rows(memory, taken.read, self._embedder.model)
            except Mem0Unusable as fault:
                taken.unusable[str(fault)] += 1
                examples = taken.examples.setdefault(str(fault), [])
                if len(examples) < EXAMPLES:
                    examples.append(memory.id)
                continue
            if rows.identity in seen:
                taken.duplicates += 1
                continue
            seen.add(rows.identity)
            kept.append(rows)
        return kept

    async def _write(self, project_id: str, rows: Sequence[Mem0Rows]) -> int:
        missing = set(await self._writer.missing(project_id, [row.memory for row in rows]))
        new = [row for row in rows if row.memory in missing]
        if not new:
            return 0
        embeddings = await self._embedder.embed(
            [row.text for row in new], EmbeddingPurpose.DOCUMENT
        )
        await self._writer.write(project_id, RowKind.CALL, [row.call for row in new])
        await self._writer.write(project_id, RowKind.EVENT, [row.event for row in new])
        return await self._writer.write_embedded(
            project_id, [row.memory for row in new], embeddings
        )
