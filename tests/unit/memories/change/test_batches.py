"""Updating and deleting memories in batches."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID, uuid4

import pytest

from server.core.errors import DeadlineExceeded, MemoirError, MemoryNotFound, RequestIdReused
from server.core.transient_errors import Overloaded, StoreUnavailable
from server.memories.change.batches import (
    BatchDeleteCommand,
    BatchDeleteMemories,
    BatchUpdateCommand,
    BatchUpdateMemories,
)
from server.memories.change.deletion import DeleteMemory, DeleteMemoryCommand
from server.memories.change.effects import FieldChanges, MemoryField
from server.memories.change.update_memory import UpdatedMemory, UpdateMemory, UpdateMemoryCommand
from server.memories.changes import Call, Deletion
from server.memories.memory import Memory
from server.memories.scope import StoredDeletion
from server.operations.idempotency import RequestKey
from tests.support.builders import PROJECT, adding, memory_of
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder


@pytest.fixture
def update(store: FakeStore, embedder: FakeEmbedder) -> BatchUpdateMemories:
    one = UpdateMemory(store, embedder, FakeClock())
    return BatchUpdateMemories(one, store, embedder, FakeClock())


async def remembered(store: FakeStore, *texts: str) -> list[Memory]:
    changes = adding(*texts)
    await store.commit(changes)
    return [memory_of(changes, item) for item in changes.added]


def renaming(memory_id: UUID, text: str) -> UpdateMemoryCommand:
    changes = FieldChanges(frozenset({MemoryField.TEXT}), text=text)
    return UpdateMemoryCommand(PROJECT, memory_id, changes)


def kinds(outcomes: list[UpdatedMemory | MemoirError]) -> list[type]:
    return [type(outcome) for outcome in outcomes]


async def test_items_are_changed_in_order_and_embedded_together(
    store: FakeStore, embedder: FakeEmbedder, update: BatchUpdateMemories
) -> None:
    [memory] = await remembered(store, "one")
    items = [renaming(memory.id, "two"), renaming(uuid4(), "lost"), renaming(memory.id, "three")]
    outcomes = await update(BatchUpdateCommand(PROJECT, items))
    assert kinds(outcomes) == [UpdatedMemory, MemoryNotFound, UpdatedMemory]
    assert store.memories[memory.id].text == "three"
    assert store.memories[memory.id].version == 3
    assert [texts for texts, _ in embedder.batches] == [["two", "lost", "three"]]
    assert {of.method for of in store.calls} == {"BatchUpdateMemories"}


async def test_a_repeated_batch_returns_finished_items_and_completes_the_rest(
    store: FakeStore, embedder: FakeEmbedder, update: BatchUpdateMemories
) -> None:
    memories = await remembered(store, "one", "two")
    lost = store.memories.pop(memories[1].id)
    key = RequestKey(uuid4(), b"payload")
    command = BatchUpdateCommand(
        PROJECT,
        [renaming(memories[0].id, "first"), renaming(memories[1].id, "second")],
        key,
    )
    first, missing = await update(command)
    assert isinstance(missing, MemoryNotFound)
    store.memories[lost.id] = lost
    again = await update(command)
    assert again[0] == first
    assert kinds(again) == [UpdatedMemory, UpdatedMemory]
    assert store.memories[memories[0].id].version == 2
    assert embedder.batches[-1][0] == ["second"]
    other = replace(command, key=RequestKey(key.id, b"other"))
    with pytest.raises(RequestIdReused):
        await update(other)


@dataclass
class FailingStore(FakeStore):
    """Fails from the second deletion on; `tries` counts all attempts."""

    error: MemoirError | None = None
    tries: int = 0

    async def delete(self, call: Call, deletion: Deletion) -> StoredDeletion:
        self.tries += 1
        if self.error and self.calls:
            raise self.error
        return await super().delete(call, deletion)


async def delete_three(store: FailingStore) -> list[StoredDeletion | MemoirError]:
    memories = await remembered(store, "one", "two", "three")
    one = DeleteMemory(store, FakeClock())
    delete = BatchDeleteMemories(one, store, FakeClock())
    items = [DeleteMemoryCommand(PROJECT, memory.id) for memory in memories]
    return await delete(BatchDeleteCommand(PROJECT, items))


@pytest.mark.parametrize("away", [StoreUnavailable(), Overloaded()])
async def test_the_rest_of_a_batch_is_not_tried_without_the_store(away: MemoirError) -> None:
    store = FailingStore(error=away)
    first, *rest = await delete_three(store)
    assert isinstance(first, StoredDeletion)
    assert (first.position, rest) == (2, [away, away])
    assert len(store.memories) == 2
    assert store.tries == 2


async def test_the_deadline_ends_the_whole_batch() -> None:
    with pytest.raises(DeadlineExceeded):
        await delete_three(FailingStore(error=DeadlineExceeded()))
