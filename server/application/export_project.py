"""Writing a whole project as lines of JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import uuid4

from server.domain.archive import ArchiveHeader, Checksum, RowKind, row_line
from server.ports.archive import ProjectReader


class ExportProject:
    """Writes a project with settings, calls, messages, history and memories; API keys stay.

    It reads one snapshot, batch by batch: servers may go on working, and memory use is bounded.
    """

    def __init__(self, reader: ProjectReader) -> None:
        self._reader = reader

    async def __call__(
        self,
        project_id: str,
        write_line: Callable[[str], None],
        *,
        embeddings: bool = False,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Counter[str]:
        """Gives each line, without its end, to `write_line`, and answers the rows by kind.

        `on_progress` is told how many rows are done, and of how many.

        Raises:
            ProjectUnknown: there is no such project.
            StoreUnavailable: the store cannot be reached, or went away amid it.
        """
        checksum = Checksum()

        def write(line: str) -> None:
            checksum.take(line)
            write_line(line)

        async with self._reader.snapshot(project_id) as snapshot:
            model = snapshot.embedding_model if embeddings else None
            write(ArchiveHeader(uuid4(), snapshot.last_position, model).line())
            total = sum(snapshot.counts.values())
            for kind in RowKind:
                async for rows in snapshot.rows(kind, embeddings=embeddings):
                    for row in rows:
                        write(row_line(kind, row))
                    checksum.counts[kind] += len(rows)
                    on_progress(checksum.counts.total(), total)
        write_line(checksum.end_line())
        return checksum.counts
