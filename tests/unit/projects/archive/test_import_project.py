"""Importing archives, also faulty ones."""

from __future__ import annotations

import json
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import pytest

from server.core.values import Vector
from server.models.ports import EmbeddingPurpose
from server.projects.archive.export_import import ImportProject
from server.projects.archive.format import (
    ArchiveHeader,
    ArchiveUnusable,
    Checksum,
    RowKind,
    read_embedding,
    row_line,
)
from tests.support.fakes import FakeProjectStore

HEADER = ArchiveHeader(UUID(int=7), 3, embedding_model="here")
MEMORY = json.dumps({"memory_id": str(UUID(int=1)), "text": "a dog", "embedding": "[1, 0]"})


@dataclass
class Writer(FakeProjectStore):
    """Records the written rows."""

    written: list[tuple[RowKind, str]] = field(default_factory=list)
    embeddings: list[Vector] = field(default_factory=list)

    async def write_rows(self, project_id: str, kind: RowKind, rows: Sequence[str]) -> int:
        self.written += [(kind, row) for row in rows]
        return len(rows)

    async def missing_rows(
        self, project_id: str, rows: Sequence[str], kind: RowKind = RowKind.MEMORY
    ) -> list[str]:
        return list(rows)

    async def write_embedded(
        self,
        project_id: str,
        rows: Sequence[str],
        embeddings: Sequence[Vector],
        kind: RowKind = RowKind.MEMORY,
    ) -> int:
        self.embeddings += embeddings
        return await self.write_rows(project_id, kind, rows)


class Embedder:
    """Embeds everything as one vector."""

    dimensions = 2
    near_duplicate_similarity = 1.0
    dense_weight = 1.0
    compares_sentences = False

    def __init__(self, model: str) -> None:
        self.model = model
        self.texts: list[str] = []

    def meanings(self, question: str) -> Sequence[str]:
        return ()

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        assert purpose is EmbeddingPurpose.DOCUMENT
        self.texts += texts
        return [array("f", [0.0, 1.0]) for _ in texts]


def archive(*rows: tuple[RowKind, str], header: ArchiveHeader = HEADER) -> list[str]:
    checksum = Checksum()
    lines = [header.line(), *(row_line(kind, row) for kind, row in rows)]
    for line in lines:
        checksum.take(line)
    for kind, _ in rows:
        checksum.counts[kind] += 1
    return [f"{line}\n" for line in (*lines, checksum.end_line())]


@pytest.mark.parametrize(("model", "embedded"), [("here", []), ("elsewhere", ["a dog"])])
async def test_embeddings_of_the_same_model_are_imported(model: str, embedded: list[str]) -> None:
    writer, embedder = Writer(), Embedder(model)
    imported = await ImportProject(writer, embedder)(
        "p", archive((RowKind.CALL, '{"position": 1}'), (RowKind.MEMORY, MEMORY))
    )
    assert dict(imported.new) == {"call": 1, "memory": 1}
    assert embedder.texts == embedded
    assert [list(vector) for vector in writer.embeddings] == [[0, 1] if embedded else [1, 0]]
    assert [(kind, json.loads(row)) for kind, row in writer.written] == [
        (RowKind.CALL, {"position": 1}),
        (RowKind.MEMORY, json.loads(MEMORY)),
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda lines: [], "line 1 is not JSON"),
        (lambda lines: ["{}\n", *lines[1:]], "not the header"),
        (lambda lines: lines[:-1], "truncated"),
        (lambda lines: [lines[0], *lines[2:]], "altered"),
        (lambda lines: [line.replace("a dog", "a cat") for line in lines], "altered"),
        (lambda lines: [lines[0], "{\n", *lines[1:]], "line 2 is not JSON"),
        (lambda lines: [lines[0], "[]\n", *lines[1:]], "line 2 is not an object"),
        (lambda lines: [lines[0], '{"kind": "key"}\n', *lines[1:]], "line 2 has an unknown kind"),
        (lambda lines: [lines[0], '{"kind": "call"}\n', *lines[1:]], "line 2 has no row"),
    ],
)
async def test_problems_of_an_archive_are_reported(
    change: Callable[[list[str]], list[str]], told: str
) -> None:
    lines = archive((RowKind.CALL, "{}"), (RowKind.MEMORY, MEMORY))
    with pytest.raises(ArchiveUnusable, match=told):
        await ImportProject(Writer(), Embedder("here"))("p", change(lines))


@pytest.mark.parametrize("value", ["[1]", "[1, NaN]", "[1, 1e60]", "x", None, "{}", '["a", "b"]'])
def test_an_incomparable_embedding_is_refused(value: object) -> None:
    with pytest.raises(ArchiveUnusable):
        read_embedding(value, 2)
