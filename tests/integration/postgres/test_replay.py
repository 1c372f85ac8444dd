"""A repeated request id returns the changes of its call, and no side effects of it."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from server.memories.changes import ChangeSet, Deletion
from server.memories.memory import EventType
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from tests.support.builders import NOW, PROJECT, adding, addition, call, change_set, revision

YESTERDAY = NOW.date() - timedelta(days=1)


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


async def answered(store: PostgresMemoryStore, request_id: UUID) -> list[tuple[EventType, str]]:
    found = await store.find_call(PROJECT, request_id)
    assert found is not None
    return [(change.event, change.memory.text) for change in found.changes]


async def test_an_expired_memory_that_is_replaced_is_not_in_the_response(
    store: PostgresMemoryStore,
) -> None:
    before = call()
    await store.commit(
        change_set(before, added=[addition(before, "tea", expiration_date=YESTERDAY)])
    )
    again = call(request_id=uuid4())
    await store.commit(change_set(again, added=[addition(again, "tea")]))
    assert again.request_id is not None
    assert await answered(store, again.request_id) == [(EventType.ADD, "tea")]


async def test_its_end_is_in_the_history_too(
    store: PostgresMemoryStore, database: Database
) -> None:
    before, again = call(), call()
    expired = addition(before, "tea", expiration_date=YESTERDAY)
    await store.commit(change_set(before, added=[expired]))
    await store.commit(change_set(again, added=[addition(again, "tea")]))
    async with database.connection() as connection:
        rows = await connection.fetch(
            "SELECT type, call_id FROM memory_events WHERE memory_id = $1 ORDER BY version",
            expired.memory.id,
        )
    assert [tuple(row) for row in rows] == [("ADD", before.id), ("DELETE", again.id)]


async def test_changes_are_answered_in_their_order(store: PostgresMemoryStore) -> None:
    first = adding("to go", "to change")
    await store.commit(first)
    gone, changed = first.added
    new_call = call(request_id=uuid4())
    deletion = Deletion(gone.memory_id, 1)
    await store.commit(
        ChangeSet(
            new_call, changes=[deletion, addition(new_call, "new"), revision(changed, "changed")]
        )
    )
    assert new_call.request_id is not None
    assert await answered(store, new_call.request_id) == [
        (EventType.DELETE, "to go"),
        (EventType.ADD, "new"),
        (EventType.UPDATE, "changed"),
    ]
