"""Deleting one memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import pytest

from server.application.delete_memory import DeleteMemory, DeleteMemoryCommand
from server.domain.errors import ConcurrentChange, EtagMismatch, MemoryNotFound
from server.domain.memory import Memory
from server.ports.memory_store import ChangeSet, Committed, Removal
from tests.support.builders import ALICE, EMBEDDER, NOW, PROJECT, addition, call, revision
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


async def remembered(store: FakeStore, immutable: bool = False) -> Memory:
    of = call()
    item = addition(of, "tea", immutable=immutable, expiration_date=date(2026, 1, 1))
    await store.commit(ChangeSet(of, added=[item]))
    return item.memory


async def test_a_memory_is_removed_by_a_call_of_its_own(store: FakeStore) -> None:
    memory = await remembered(store)
    position = await DeleteMemory(store, FakeClock())(DeleteMemoryCommand(PROJECT, memory.id))
    assert store.memories == {}
    assert position == 2
    changes = store.change_sets[-1]
    assert changes.removed == [Removal(0, memory.id, 1)]
    assert (changes.call.method, changes.call.scope) == ("DeleteMemory", ALICE)
    assert (changes.call.project_id, changes.call.time) == (PROJECT, NOW)
    assert changes.call.embedding_model == EMBEDDER
    assert changes.call.id != memory.provenance.call_id


async def test_an_immutable_and_expired_memory_can_be_deleted(store: FakeStore) -> None:
    memory = await remembered(store, immutable=True)
    await DeleteMemory(store, FakeClock())(DeleteMemoryCommand(PROJECT, memory.id, memory.etag))
    assert store.memories == {}


@pytest.mark.parametrize("project_id", [PROJECT, "project-2"])
async def test_what_the_project_does_not_have_is_not_found(
    store: FakeStore, project_id: str
) -> None:
    memory = await remembered(store)
    memory_id = memory.id if project_id != PROJECT else UUID(int=1)
    with pytest.raises(MemoryNotFound):
        await DeleteMemory(store, FakeClock())(DeleteMemoryCommand(project_id, memory_id))
    assert len(store.change_sets) == 1


async def test_another_etag_deletes_nothing(store: FakeStore) -> None:
    memory = await remembered(store)
    with pytest.raises(EtagMismatch):
        await DeleteMemory(store, FakeClock())(DeleteMemoryCommand(PROJECT, memory.id, "other"))
    assert memory.id in store.memories


@dataclass
class BusyStore(FakeStore):
    """A store in which the memory changes between being read and being removed."""

    async def commit(self, changes: ChangeSet) -> Committed:
        if changes.removed:
            raise ConcurrentChange
        return await super().commit(changes)


@pytest.mark.parametrize(("with_etag", "error"), [(True, EtagMismatch), (False, ConcurrentChange)])
async def test_a_change_in_between_is_told_in_terms_of_what_was_asked(
    with_etag: bool, error: type[Exception]
) -> None:
    store = BusyStore()
    memory = await remembered(store)
    command = DeleteMemoryCommand(PROJECT, memory.id, memory.etag if with_etag else None)
    with pytest.raises(error):
        await DeleteMemory(store, FakeClock())(command)


async def test_the_etag_of_the_present_version_is_the_one_that_counts(store: FakeStore) -> None:
    of = call()
    item = addition(of, "tea")
    await store.commit(ChangeSet(of, added=[item]))
    await store.commit(ChangeSet(call(), updated=[revision(item, "coffee")]))
    delete = DeleteMemory(store, FakeClock())
    with pytest.raises(EtagMismatch):
        await delete(DeleteMemoryCommand(PROJECT, item.memory.id, item.memory.etag))
    present = store.memories[item.memory.id]
    await delete(DeleteMemoryCommand(PROJECT, present.id, present.etag))
    assert store.memories == {}
