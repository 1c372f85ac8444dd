"""Deleting whole scopes."""

from __future__ import annotations

from uuid import uuid4

import pytest

from server.core.errors import InvalidRequest, RequestIdReused, ScopeNotFound
from server.memories.change.scopes import (
    DeleteMemories,
    DeleteMemoriesCommand,
    DeleteScope,
    DeleteScopeCommand,
)
from server.memories.scope import Scope, ScopeKind
from server.operations.idempotency import RequestKey
from tests.support.builders import ALICE, PROJECT, adding
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock


@pytest.fixture
async def scopes() -> FakeStore:
    """Returns a store with one memory of Alice."""
    store = FakeStore()
    await store.commit(adding("tea"))
    return store


async def test_memories_are_never_deleted_without_a_scope(scopes: FakeStore) -> None:
    with pytest.raises(InvalidRequest):
        await DeleteMemories(scopes, FakeClock())(DeleteMemoriesCommand(PROJECT, Scope()))
    assert scopes.calls == []


async def test_memories_of_a_scope_are_deleted_once(scopes: FakeStore) -> None:
    delete = DeleteMemories(scopes, FakeClock())
    key = RequestKey(uuid4(), b"payload")
    command = DeleteMemoriesCommand(PROJECT, ALICE, key)
    assert await delete(command) == await delete(command)
    [call] = scopes.calls
    assert (call.method, call.scope) == ("DeleteMemories", ALICE)
    other = DeleteMemoriesCommand(PROJECT, ALICE, RequestKey(key.id, b"other"))
    with pytest.raises(RequestIdReused):
        await delete(other)


async def test_a_deletion_that_only_validates_ignores_the_request_id(
    scopes: FakeStore,
) -> None:
    delete = DeleteMemories(scopes, FakeClock())
    key = RequestKey(uuid4(), b"payload")
    command = DeleteMemoriesCommand(PROJECT, ALICE, key, validate_only=True)
    preview = await delete(command)
    assert (preview.receipt.memories, scopes.calls) == (1, [])
    await delete(DeleteMemoriesCommand(PROJECT, ALICE, RequestKey(key.id, b"other")))
    assert (await delete(command)).receipt.memories == 0


async def test_a_scope_is_deleted_once_by_a_call_that_does_not_name_it(
    scopes: FakeStore,
) -> None:
    delete = DeleteScope(scopes, FakeClock())
    command = DeleteScopeCommand(PROJECT, ScopeKind.USER, "alice", RequestKey(uuid4(), b"p"))
    assert await delete(command) == await delete(command)
    [call] = scopes.calls
    assert (call.method, call.scope) == ("DeleteScope", Scope())
    with pytest.raises(ScopeNotFound):
        await delete(DeleteScopeCommand(PROJECT, ScopeKind.USER, "alice"))
