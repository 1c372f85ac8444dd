"""A project as lines of JSON, to be kept or moved.

The first line says what the archive is, the last one how much there is and the SHA-256 of all lines
before it. Between them stands one row a line, in an order in which each row follows what it refers
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


class ArchiveUnusable(MemoirError):
    """The archive cannot be read; the message says where and why."""


class ProjectUnknown(MemoirError):
    """There is no such project."""

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"there is no project {project_id!r}; python -m server projects list shows all"
        )


class ProjectOccupied(MemoirError):
    """The project holds something that is not of the archive."""

    def __init__(self, project_id: str) -> None:
        super().__init__(
            f"project {project_id!r} already holds other calls; import into a project of its own "
            "(python -m server projects create)"
        )


class RowKind(StrEnum):
    """What a line holds, in the order of the archive."""

    PROJECT = "project"
    CALL = "call"
    MESSAGE = "message"
    EVENT = "event"
    MEMORY = "memory"
    PASSAGE = "passage"


EMBEDDED: Final = frozenset({RowKind.MEMORY, RowKind.PASSAGE})
"""The kinds of rows that have a vector."""


@dataclass(frozen=True, slots=True)
class ArchiveHeader:
    """What the first line says.

    `last_position` is the highest place of a change in the project's order. `embedding_model` made
    the embeddings in the archive; None where it holds none.
    """

    archive_id: UUID
    last_position: int
    embedding_model: str | None = None

    def line(self) -> str:
        """The line."""
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
    """The rows and the digest of an archive's lines so far."""

    counts: Counter[str] = field(default_factory=Counter)
    _digest: Any = field(default_factory=hashlib.sha256)

    def take(self, line: str) -> None:
        """Counts a line in, without its end."""
        self._digest.update(line.encode() + b"\n")

    def end_line(self) -> str:
        """The last line."""
        return json.dumps({"end": dict(self.counts), "sha256": self._digest.hexdigest()})

    def confirm(self, end: Mapping[str, Any]) -> None:
        """Compares with what the last line says.

        Raises:
            ArchiveUnusable: they differ.
        """
        if end.get("sha256") != self._digest.hexdigest() or end.get("end") != dict(self.counts):
            raise ArchiveUnusable("the archive was altered: its checksum is another one")


def row_line(kind: RowKind, row: str) -> str:
    """The line of a row, given as JSON."""
    return f'{{"kind": "{kind}", "row": {row}}}'


def read_header(line: str) -> ArchiveHeader:
    """What the first line says.

    Raises:
        ArchiveUnusable: it is none, or of a later format.
    """
    fields = parse_line(line, 1)
    if fields.get("memoir_archive") != FORMAT:
        raise ArchiveUnusable(f"line 1 is not the header of a Memoir archive of format {FORMAT}")
    try:
        return ArchiveHeader(
            UUID(fields["archive_id"]), int(fields["last_position"]), fields["embedding_model"]
        )
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveUnusable("line 1: the header is malformed") from error


def parse_line(line: str, number: int) -> dict[str, Any]:
    """A line as an object.

    Raises:
        ArchiveUnusable: it is none.
    """
    try:
        fields = json.loads(line)
    except ValueError as error:
        raise ArchiveUnusable(f"line {number} is not JSON") from error
    if not isinstance(fields, dict):
        raise ArchiveUnusable(f"line {number} is not an object")
    return fields


def read_embedding(value: object, dimensions: int) -> Vector:
    """The embedding in a memory's row, which is PostgreSQL's text of it: numbers in brackets.

    Raises:
        ArchiveUnusable: it is not one of this length.
    """
    try:
        vector = array("f", json.loads(str(value)))
    except (TypeError, ValueError) as error:
        raise ArchiveUnusable("an embedding is malformed") from error
    if len(vector) != dimensions or not all(map(isfinite, vector)):
        raise ArchiveUnusable(f"an embedding has not {dimensions} finite numbers")
    return vector
