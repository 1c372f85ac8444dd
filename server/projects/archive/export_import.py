"""Exports a whole project as lines of JSON, and imports it from them or from Mem0."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby, islice
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from server.core.values import Vector
from server.memories.memory import embedded_text
from server.models.ports import Embedder, EmbeddingPurpose
from server.projects.archive.format import (
    COPY_AGAIN,
    EMBEDDED,
    ArchiveHeader,
    ArchiveUnusable,
    Checksum,
    RowKind,
    parse_line,
    read_embedding,
    read_header,
    row_line,
)
from server.projects.archive.mem0 import Mem0Memory, Mem0Rows, Mem0Unusable, to_rows
from server.projects.ports import Mem0Source, ProjectStore


class ExportProject:
    """Writes a project with settings, calls, messages, history and memories, but no API keys.

    It reads one snapshot, batch by batch, so that servers may keep working and memory use is
    bounded.
    """

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    async def __call__(
        self,
        project_id: str,
        write_line: Callable[[str], None],
        *,
        embeddings: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Counter[str]:
        """Passes each line, without its line break, to `write_line`; returns row counts by kind.

        `on_progress` is called with the rows written so far and the total.

        Raises:
            ProjectUnknown: there is no such project.
            StoreUnavailable: the store cannot be reached, or was lost during the export.
        """
        checksum = Checksum()

        def write(line: str) -> None:
            checksum.take(line)
            write_line(line)

        async with self._projects.snapshot(project_id, embeddings=embeddings) as snapshot:
            model = snapshot.embedding_model if embeddings else None
            write(ArchiveHeader(uuid4(), snapshot.last_position, model).line())
            total = sum(snapshot.counts.values())
            for kind in RowKind:
                async for rows in snapshot.rows(kind):
                    for row in rows:
                        write(row_line(kind, row))
                    checksum.counts[kind] += len(rows)
                    on_progress(checksum.counts.total(), total)
        write_line(checksum.end_line())
        return checksum.counts


BATCH = 200

Row = tuple[RowKind, str]


@dataclass(slots=True)
class Imported:
    """Counts by kind: rows in the archive, and rows that were new to the project."""

    read: Counter[str] = field(default_factory=Counter)
    new: Counter[str] = field(default_factory=Counter)


class ImportProject:
    """Imports an archive into a project that holds nothing else.

    Each batch is one transaction. Repeating the import adds only missing rows and does not undo
    changes and deletions made since. Memories without an embedding of this store's model are
    embedded. The projector updates the graph.
    """

    def __init__(self, projects: ProjectStore, embedder: Embedder) -> None:
        self._projects = projects
        self._embedder = embedder

    async def __call__(
        self,
        project_id: str,
        lines: Iterable[str],
        on_progress: Callable[[int], None] = lambda _rows: None,
    ) -> Imported:
        """Imports the lines; `on_progress` is called with the number of rows read so far.

        Raises:
            ArchiveUnusable: a line is malformed, or the archive is truncated or altered. The rows
                before the fault are stored; importing the whole archive adds the others.
            ProjectUnknown: there is no such project.
            ProjectOccupied: it holds something else.
            ModelUnavailable, ModelQuotaExhausted: the embedder failed; repeat the import later.
            StoreUnavailable: the store cannot be reached.
        """
        imported = Imported()
        numbered = iter(lines)
        first = next(numbered, "").rstrip("\r\n")
        header = read_header(first)
        await self._projects.begin_import(project_id, header)
        rows = _rows(first, numbered, imported.read)
        while batch := list(islice(rows, BATCH)):
            for kind, group in groupby(batch, key=lambda row: row[0]):
                kind_rows = [row for _, row in group]
                imported.new[kind] += await self._write(project_id, header, kind, kind_rows)
            on_progress(imported.read.total())
        return imported

    async def _write(
        self, project_id: str, header: ArchiveHeader, kind: RowKind, rows: Sequence[str]
    ) -> int:
        if kind not in EMBEDDED:
            return await self._projects.write_rows(project_id, kind, rows)
        missing = await self._projects.missing_rows(project_id, rows, kind)
        if not missing:
            return 0
        embeddings = await self._embeddings(header, missing)
        return await self._projects.write_embedded(project_id, missing, embeddings, kind)

    async def _embeddings(self, header: ArchiveHeader, rows: Sequence[str]) -> list[Vector]:
        given = [json.loads(row) for row in rows]
        if header.embedding_model == self._embedder.model:
            dimensions = self._embedder.dimensions
            return [read_embedding(row.get("embedding"), dimensions) for row in given]
        if not all(isinstance(row.get("text"), str) for row in given):
            raise ArchiveUnusable("a row has no text; export the project again")
        texts = [
            # A passage without text is never compared, so any vector will do.
            embedded_text(row["text"] or "-", None if row.get("inferred") else row.get("name"))
            for row in given
        ]
        return await self._embedder.embed(texts, EmbeddingPurpose.DOCUMENT)


def _rows(header: str, lines: Iterator[str], counts: Counter[str]) -> Iterator[Row]:
    """Yields the rows after the header, and checks them against the last line."""
    checksum = Checksum(counts)
    checksum.take(header)
    for number, raw in enumerate(lines, start=2):
        line = raw.rstrip("\r\n")
        fields = parse_line(line, number)
        if "end" in fields:
            checksum.confirm(fields)
            return
        checksum.take(line)
        kind = _kind(fields, number)
        counts[kind] += 1
        yield kind, json.dumps(fields["row"])
    raise ArchiveUnusable(
        "the archive is truncated: its last line is missing; import the complete file, which adds "
        "the missing rows"
    )


def _kind(fields: dict[str, object], number: int) -> RowKind:
    try:
        kind = RowKind(str(fields["kind"]))
    except (KeyError, ValueError) as error:
        raise ArchiveUnusable(f"line {number} has an unknown kind; {COPY_AGAIN}") from error
    if not isinstance(fields.get("row"), dict):
        raise ArchiveUnusable(f"line {number} has no row; {COPY_AGAIN}")
    return kind


EXAMPLES = 3


@dataclass(slots=True)
class Mem0Imported:
    """The numbers of memories that were imported and skipped, with examples of skipped ones."""

    read: int = 0
    new: int = 0
    duplicates: int = 0
    unusable: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[UUID]] = field(default_factory=dict)


class ImportMem0:
    """Imports the memories of a Mem0 table or account into a project that holds nothing else.

    Ids, times, scopes and metadata are kept; texts are embedded again. Of identical memories in one
    scope only the oldest is kept. The import can be repeated; existing memories stay unchanged.
    """

    def __init__(self, source: Mem0Source, projects: ProjectStore, embedder: Embedder) -> None:
        self._source = source
        self._projects = projects
        self._embedder = embedder

    async def __call__(
        self,
        project_id: str,
        source_name: str,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Mem0Imported:
        """Imports every memory of the source.

        Raises:
            ArchiveUnusable: a memory does not fit the tables.
            ProjectUnknown: there is no such project.
            ProjectOccupied: it holds something else.
            ModelUnavailable, ModelQuotaExhausted: the embedder failed; repeat the import later.
            StoreUnavailable: the store cannot be reached.
        """
        total = self._source.count
        archive = uuid5(NAMESPACE_URL, f"mem0:{source_name}")
        await self._projects.begin_import(project_id, ArchiveHeader(archive, total))
        imported = Mem0Imported()
        # The set takes 48 bytes for each memory, so a table of millions fits.
        seen: set[bytes] = set()
        async for batch in self._source.memories:
            rows = list(self._rows(batch, imported, seen))
            imported.new += await self._write(project_id, rows)
            on_progress(imported.read, total)
        return imported

    def _rows(
        self, batch: Sequence[Mem0Memory], imported: Mem0Imported, seen: set[bytes]
    ) -> list[Mem0Rows]:
        kept = []
        for memory in batch:
            imported.read += 1
            try:
                rows = to_rows(memory, imported.read, self._embedder.model)
            except Mem0Unusable as fault:
                imported.unusable[str(fault)] += 1
                examples = imported.examples.setdefault(str(fault), [])
                if len(examples) < EXAMPLES:
                    examples.append(memory.id)
                continue
            if rows.identity in seen:
                imported.duplicates += 1
                continue
            seen.add(rows.identity)
            kept.append(rows)
        return kept

    async def _write(self, project_id: str, rows: Sequence[Mem0Rows]) -> int:
        missing = set(await self._projects.missing_rows(project_id, [row.memory for row in rows]))
        new = [row for row in rows if row.memory in missing]
        if not new:
            return 0
        embeddings = await self._embedder.embed(
            [row.text for row in new], EmbeddingPurpose.DOCUMENT
        )
        await self._projects.write_rows(project_id, RowKind.CALL, [row.call for row in new])
        await self._projects.write_rows(project_id, RowKind.EVENT, [row.event for row in new])
        return await self._projects.write_embedded(
            project_id, [row.memory for row in new], embeddings
        )
