"""The archive format: a project as lines of JSON, for backup or transfer.

The first line describes the archive. The last line holds the number of rows and the SHA-256 of all
lines before it. Each line in between is one row, and every row comes after the rows that it refers
to.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from math import isfinite
from typing import Any, Final
from uuid import UUID

from server.core.errors import MemoirError
from server.core.values import Vector

FORMAT = 1
COPY_AGAIN: Final = "copy or export the archive again"
_EXPORT_AGAIN: Final = "export the project again, if need be without --embeddings"


class ArchiveUnusable(MemoirError):
    """The archive cannot be read; the message gives the place and the reason."""


class ProjectOccupied(MemoirError):
    """The project holds something that does not come from the archive."""

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"project {project_id!r} already holds other calls; import into an empty project "
            "(python -m server projects create)"
        )


class RowKind(StrEnum):
    """The kinds of rows, in the order of the archive."""

    PROJECT = "project"
    CALL = "call"
    MESSAGE = "message"
    EVENT = "event"
    MEMORY = "memory"
    PASSAGE = "passage"


EMBEDDED: Final = frozenset({RowKind.MEMORY, RowKind.PASSAGE})
"""The kinds of rows that have an embedding."""


@dataclass(frozen=True, slots=True)
class ArchiveHeader:
    """The contents of the first line.

    `last_position` is the highest position of a change in the project. `embedding_model` made the
    embeddings in the archive; None if it holds none.
    """

    archive_id: UUID
    last_position: int
    embedding_model: str | None = None

    def line(self) -> str:
        """Returns the header as a line."""
        return json.dumps(
            {
                "memoir_archive": FORMAT,
                "archive_id": str(self.archive_id),
                "last_position": self.last_position,
                "embedding_model": self.embedding_model,
            }
        )


@dataclass(slots=True)
class Checksum:
    """The number of rows and the digest of an archive's lines so far."""

    counts: Counter[str] = field(default_factory=Counter)
    _digest: Any = field(default_factory=hashlib.sha256)

    def take(self, line: str) -> None:
        """Adds a line, given without its line break."""
        self._digest.update(line.encode() + b"\n")

    def end_line(self) -> str:
        """Returns the last line of the archive."""
        return json.dumps({"end": dict(self.counts), "sha256": self._digest.hexdigest()})

    def confirm(self, end: Mapping[str, Any]) -> None:
        """Compares the count and the digest with those of the last line.

        Raises:
            ArchiveUnusable: they differ.
        """
        if end.get("sha256") != self._digest.hexdigest() or end.get("end") != dict(self.counts):
            raise ArchiveUnusable(
                f"the archive was altered: its checksum does not match; {COPY_AGAIN}"
            )


def row_line(kind: RowKind, row: str) -> str:
    """Returns the line for a row that is given as JSON."""
    return f'{{"kind": "{kind}", "row": {row}}}'


def read_header(line: str) -> ArchiveHeader:
    """Parses the first line.

    Raises:
        ArchiveUnusable: it is not a header, or has a later format.
    """
    fields = parse_line(line, 1)
    if fields.get("memoir_archive") != FORMAT:
        raise ArchiveUnusable(
            f"line 1 is not the header of a Memoir archive of format {FORMAT}; name a file that "
            "python -m server export wrote"
        )
    try:
        return ArchiveHeader(
            UUID(fields["archive_id"]), int(fields["last_position"]), fields["embedding_model"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveUnusable(f"line 1: the header is malformed; {COPY_AGAIN}") from error


def parse_line(line: str, number: int) -> dict[str, Any]:
    """Parses a line as a JSON object.

    Raises:
        ArchiveUnusable: it is not one.
    """
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise ArchiveUnusable(f"line {number} is not JSON; {COPY_AGAIN}") from error
    if not isinstance(fields, dict):
        raise ArchiveUnusable(f"line {number} is not an object; {COPY_AGAIN}")
    return fields


def read_embedding(value: object, dimensions: int) -> Vector:
    """Parses the embedding in a memory's row: PostgreSQL's text form, numbers in brackets.

    Raises:
        ArchiveUnusable: it is malformed or has another length.
    """
    try:
        vector = array("f", json.loads(str(value)))
    except (TypeError, ValueError) as error:
        raise ArchiveUnusable(f"an embedding is malformed; {_EXPORT_AGAIN}") from error
    if len(vector) != dimensions or not all(map(isfinite, vector)):
        raise ArchiveUnusable(
            f"an embedding does not have {dimensions} finite numbers; {_EXPORT_AGAIN}"
        )
    return vector
