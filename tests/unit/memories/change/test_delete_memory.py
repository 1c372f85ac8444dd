"""Deleting one memory."""

from __future__ import annotations

from datetime import date
from uuid import UUID, uuid4

import pytest

from server.core.errors import ConcurrentChange, EtagMismatch, MemoryNotFound, RequestIdReused
from server.memories.change.deletion import DeleteMemory, DeleteMemoryCommand
from server.memories.changes import Deletion
from server.memories.memory import Memory
from server.operations.idempotency import RequestKey
from tests.support.builders import (
    ALICE,
    EMBEDDER,
    NOW,
    PROJECT,
    addition,
    call,
    change_set,
    revision,
)
from tests.support.fake_store import BusyStore, FakeStore
from tests.support.fakes import FakeClock


@pytest.fixture
def delete(store: FakeStore) -> DeleteMemory:
    return DeleteMemory(store, FakeClock())


async def remembered(store: FakeStore, immutable: bool = False) -> Memory:
    new_call = call()
    item = addition(new_call, "tea", immutable=immutable, expiration_date=date(2026, 1, 1))
    await store.commit(change_set(new_call, added=[item]))
    return item.memory


async def test_a_memory_is_deleted_by_its_own_call(store: FakeStore, delete: DeleteMemory) -> None:
    memory = await remembered(store)
    deletion = await delete(DeleteMemoryCommand(PROJECT, memory.id))
    assert (deletion.position, deletion.receipt.memories) == (2, 1)
    assert store.memories == {}
    [stored_call] = store.calls
    assert (stored_call.method, stored_call.scope) == ("DeleteMemory", ALICE)
    assert (stored_call.project_id, stored_call.time) == (PROJECT, NOW)
    assert stored_call.embedding_model == EMBEDDER
    assert stored_call.id != memory.provenance.call_id


async def test_an_immutable_and_expired_memory_can_be_deleted(
    store: FakeStore, delete: DeleteMemory
) -> None:
    memory = await remembered(store, immutable=True)
    await delete(DeleteMemoryCommand(PROJECT, memory.id, memory.etag))
    assert store.memories == {}


async def test_a_repeated_request_id_deletes_once_with_the_same_response(
    store: FakeStore, delete: DeleteMemory
) -> None:
    memory = await remembered(store)
    command = DeleteMemoryCommand(PROJECT, memory.id, key=RequestKey(uuid4(), b"payload"))
    assert await delete(command) == await delete(command)
    assert len(store.calls) == 1


async def test_a_request_id_with_another_payload_is_refused(
    store: FakeStore, delete: DeleteMemory
) -> None:
    memory = await remembered(store)
    key = RequestKey(uuid4(), b"payload")
    await delete(DeleteMemoryCommand(PROJECT, memory.id, key=key))
    other = RequestKey(key.id, b"other")
    with pytest.raises(RequestIdReused):
        await delete(DeleteMemoryCommand(PROJECT, memory.id, key=other))


@pytest.mark.parametrize("project_id", [PROJECT, "project-2"])
async def test_memories_of_other_projects_are_not_found(
    store: FakeStore, delete: DeleteMemory, project_id: str
) -> None:
    memory = await remembered(store)
    memory_id = memory.id if project_id != PROJECT else UUID(int=1)
    with pytest.raises(MemoryNotFound):
        await delete(DeleteMemoryCommand(project_id, memory_id))
    assert len(store.memories) == 1


async def test_a_wrong_etag_deletes_nothing(store: FakeStore, delete: DeleteMemory) -> None:
    memory = await remembered(store)
    with pytest.raises(EtagMismatch):
        await delete(DeleteMemoryCommand(PROJECT, memory.id, "other"))
    assert memory.id in store.memories


@pytest.mark.parametrize(("with_etag", "error"), [(True, EtagMismatch), (False, ConcurrentChange)])
async def test_a_concurrent_change_is_reported_by_the_given_preconditions(
    with_etag: bool, error: type[Exception]
) -> None:
    store = BusyStore()
    memory = await remembered(store)
    command = DeleteMemoryCommand(PROJECT, memory.id, memory.etag if with_etag else None)
    with pytest.raises(error):
        await DeleteMemory(store, FakeClock())(command)


async def test_only_the_etag_of_the_current_version_is_accepted(
    store: FakeStore, delete: DeleteMemory
) -> None:
    new_call = call()
    item = addition(new_call, "tea")
    await store.commit(change_set(new_call, added=[item]))
    await store.commit(change_set(call(), updated=[revision(item, "coffee")]))
    with pytest.raises(EtagMismatch):
        await delete(DeleteMemoryCommand(PROJECT, item.memory.id, item.memory.etag))
    present = store.memories[item.memory.id]
    await delete(DeleteMemoryCommand(PROJECT, present.id, present.etag))
    assert store.memories == {}


async def test_an_existing_memory_is_erased_at_its_version(
    store: FakeStore, delete: DeleteMemory
) -> None:
    memory = await remembered(store)
    key = RequestKey(uuid4(), b"payload")
    command = DeleteMemoryCommand(PROJECT, memory.id, memory.etag, key=key, erase=True)
    assert await delete(command) == await delete(command)
    assert store.erased == [Deletion(memory.id, 1)]


async def test_a_deleted_memory_can_be_erased_but_not_deleted_again(
    store: FakeStore, delete: DeleteMemory
) -> None:
    memory = await remembered(store)
    await delete(DeleteMemoryCommand(PROJECT, memory.id))
    store.past.set_versions(memory.id, (memory, None), (None, None))
    with pytest.raises(MemoryNotFound):
        await delete(DeleteMemoryCommand(PROJECT, memory.id))
    with pytest.raises(EtagMismatch):
        await delete(DeleteMemoryCommand(PROJECT, memory.id, memory.etag, erase=True))
    await delete(DeleteMemoryCommand(PROJECT, memory.id, erase=True))
    assert store.erased == [Deletion(memory.id, 2)]
    assert store.calls[-1].scope == ALICE


async def test_an_erased_memory_cannot_be_erased_again(
    store: FakeStore, delete: DeleteMemory
) -> None:
    erased = UUID(int=7)
    store.past.set_versions(erased, (None, None))
    with pytest.raises(MemoryNotFound):
        await delete(DeleteMemoryCommand(PROJECT, erased, erase=True))
