"""Concurrent deletions lock passages in the same order, so that they cannot deadlock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import TypeAlias

import asyncpg
import pytest

from server.memories.changes import Deletion
from server.memories.memory import Memory
from server.memories.scope import Scope, ScopeKind
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from tests.support.builders import addition, call, change_set
from tests.support.passages import SharedPassages, add_passages, passages
from tests.support.postgres import until_somebody_waits

Delete: TypeAlias = Callable[[PostgresMemoryStore, Memory], Awaitable[object]]

DELETIONS: dict[str, Delete] = {
    "memory": lambda store, memory: store.commit(
        change_set(call(), deleted=[Deletion(memory.id, 1)])
    ),
    "scope": lambda store, _: store.delete_memories(call()),
    "scope with its history": lambda store, _: store.delete_memories(call(), erase=True),
    "user": lambda store, _: store.erase_scope(call(scope=Scope()), ScopeKind.USER, "alice"),
}


def stored_last_first(given: SharedPassages) -> SharedPassages:
    """Passages whose ids are in the opposite order of their rows in the table."""
    ids = sorted((p.passage_id for p in given.passages), reverse=True)
    with_ids = zip(given.passages, ids, strict=True)
    return replace(given, passages=[replace(p, passage_id=id_) for p, id_ in with_ids])


@pytest.mark.parametrize("delete", DELETIONS.values(), ids=DELETIONS)
async def test_a_deletion_that_waits_for_a_passage_has_locked_no_later_one(
    database: Database, postgres_dsn: str, delete: Delete
) -> None:
    store = PostgresMemoryStore(database, on_commit=lambda: None)
    fact = addition(call(), "User drinks tea")
    await store.commit(change_set(call(), added=[fact]))
    with_passages = stored_last_first(passages(("I drink tea.",), ("You drink tea, I see.",)))
    await add_passages(store, with_passages)
    first, last = sorted(p.passage_id for p in with_passages.passages)
    lock = "SELECT FROM passages WHERE passage_id = $1 FOR UPDATE NOWAIT"
    rival = await asyncpg.connect(postgres_dsn)
    try:
        async with rival.transaction():
            await rival.execute(lock, first)
            deletion = asyncio.ensure_future(delete(store, fact.memory))
            await until_somebody_waits(rival)
            await rival.execute(lock, last)
        await deletion
    finally:
        await rival.close()
    async with database.connection() as connection:
        assert not await connection.fetchval(
            "SELECT EXISTS (SELECT FROM passages WHERE delete_time IS NULL)"
        )
