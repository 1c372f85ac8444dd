"""An add takes the path to PostgreSQL that docs/architecture.md lists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from server.memories.add.add_memories import AddMemories, AddMemoriesCommand
from server.memories.add.inferred import AddInferred
from server.memories.add.verbatim import AddVerbatim
from server.operations.leases import ScopeTurns
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.record_calls import committed_in
from server.storage.postgres.servers import PostgresLeases
from tests.support.builders import ALICE, PROJECT
from tests.support.fakes import FakeClock, FakeEmbedder, FakeLanguageModel
from tests.support.inference import HELLO, add

ROOT = Path(__file__).parents[3]


def drawn() -> list[str]:
    """Returns the coroutines that the document lists, without the one of the service."""
    text = (ROOT / "docs/architecture.md").read_text()
    [block] = re.findall(r"```\nMemoryService\.AddMemories .*\n((?:.+\n)+)```", text)
    names: list[str] = []
    for line in block.splitlines():
        name = line.split()[0]
        names.append(names[-1].partition(".")[0] + name if name.startswith(".") else name)
    return names


def coroutines_of_the_server() -> list[str]:
    """Returns the coroutines that are waiting for the caller, the outermost first."""
    names: list[str] = []
    frame: FrameType | None = inspect.currentframe()
    while frame is not None:
        code = frame.f_code
        if code.co_flags & inspect.CO_COROUTINE and code.co_filename.startswith(f"{ROOT}/server/"):
            names.insert(0, code.co_qualname.removesuffix(".__call__"))
        frame = frame.f_back
    return names


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The coroutines that waited for the last statement of a commit."""
    names: list[str] = []

    def watched(rows: Sequence[Any], calls: int) -> Any:
        names[:] = coroutines_of_the_server()
        return committed_in(rows, calls)

    monkeypatch.setattr("server.storage.postgres.commit.committed_in", watched)
    return names


async def test_an_add_takes_the_documented_way(database: Database, waiting: list[str]) -> None:
    store = PostgresMemoryStore(database, on_commit=lambda: None)
    embedder, clock, model = FakeEmbedder(), FakeClock(), FakeLanguageModel()
    turns = ScopeTurns(PostgresLeases(database))
    inferred = AddInferred(store, embedder, model, clock, turns, max_deletions=5)
    remember = AddMemories(store, AddVerbatim(store, embedder, clock), inferred)
    model.script.append([add("Likes tea")])

    await remember(AddMemoriesCommand(PROJECT, ALICE, [HELLO], metadata={}))
    assert waiting == drawn()

    await remember(AddMemoriesCommand(PROJECT, ALICE, [HELLO], metadata={}, infer=False))
    assert waiting == ["AddVerbatim", *drawn()[2:]]
