"""The contract of erasing expired memories and whole projects, held on PostgreSQL."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from server.maintenance import PurgeExpired
from server.memories.changes import Call, Deletion, Replacement
from server.memories.ports import MemoryStore
from server.memories.scope import DeletionReceipt, Scope
from server.projects.ports import ProjectStore
from server.projects.project import ApiKey, Project
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import NOW, PROJECT, adding, addition, call, change_set, message
from tests.support.dump import tables_with
from tests.support.fakes import FakeClock

TODAY = NOW.date()
CANARY = "kestrel"


@pytest.fixture
def projects(database: Database) -> ProjectStore:
    return PostgresProjectStore(database)


def by(project_id: str) -> Call:
    return replace(call(project_id=project_id, scope=Scope()), method="Retention")


async def expiring(
    store: MemoryStore, text: str, last_day: date | None, project_id: str = PROJECT
) -> UUID:
    new_call = call(project_id=project_id)
    item = addition(new_call, text, expiration_date=last_day)
    await store.commit(change_set(new_call, [message(text)], [item]))
    return item.memory.id


async def test_what_expired_before_the_day_is_erased_with_its_messages(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    due = await expiring(store, f"{CANARY} due", TODAY - timedelta(days=31))
    later = await expiring(store, "expired later", TODAY - timedelta(days=30))
    never = await expiring(store, "never", None)
    expired_before = TODAY - timedelta(days=30)
    receipt = await changes.purge(expired_before, 9, by)
    assert receipt == DeletionReceipt(memories=1, messages=1, events=1, graph_memories=1)
    assert await changes.purge(expired_before, 9, by) is None
    assert await tables_with(database, CANARY) == set()
    assert await store.get(PROJECT, due, None) is None
    assert await store.get(PROJECT, later, None) is not None
    assert await store.get(PROJECT, never, None) is not None


async def test_a_deleted_memory_is_erased_by_its_last_expiration_date(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    past = TODAY - timedelta(days=1)
    gone = await expiring(store, f"{CANARY} gone", past)
    await changes.delete(call(), Deletion(gone, 1))
    # Expired, and then kept without a date; and one that was deleted without a date.
    kept = await expiring(store, "kept on", past)
    memory = await store.get(PROJECT, kept, None)
    assert memory is not None
    after = replace(memory, version=2, expiration_date=None)
    await changes.replace(call(), Replacement(after))
    undated = await expiring(store, "undated", None)
    await changes.delete(call(), Deletion(undated, 1))

    receipt = await changes.purge(TODAY, 9, by)

    assert receipt == DeletionReceipt(messages=1, events=2)
    assert await changes.purge(TODAY, 9, by) is None
    assert await tables_with(database, CANARY) == set()
    assert await store.get(PROJECT, kept, None) is not None
    assert "memory_events" in await tables_with(database, "undated")


async def test_a_memory_that_was_replaced_by_a_new_one_is_erased_in_time(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    old = await expiring(store, "tea", TODAY - timedelta(days=1))
    new = await expiring(store, "tea", None)
    assert new != old
    receipt = await changes.purge(TODAY, 9, by)
    assert receipt is not None
    assert (receipt.memories, receipt.events) == (0, 2)
    assert await store.get(PROJECT, new, TODAY) is not None
    # The message of the present memory has the same text, but belongs to its own call.
    assert "memories" in await tables_with(database, "tea")


async def test_servers_that_purge_at_once_erase_each_memory_once(
    store: MemoryStore, changes: MemoryStore, database: Database
) -> None:
    for number in range(20):
        await expiring(store, f"{CANARY} {number}", TODAY - timedelta(days=2))
    purges = [PurgeExpired(changes, FakeClock(), kept_days=1) for _ in range(4)]
    counts = await asyncio.gather(*(purge.purge() for purge in purges))
    assert sum(count["memories"] for count in counts) == 20
    async with database.connection() as connection:
        events = await connection.fetchval("SELECT count(*) FROM memory_events")
    assert events == 20
    assert await tables_with(database, CANARY) == set()


async def test_a_memory_that_others_change_is_left_for_the_next_time(
    store: MemoryStore, changes: MemoryStore, postgres_dsn: str
) -> None:
    held = await expiring(store, "held", TODAY - timedelta(days=1))
    rival = await asyncpg.connect(postgres_dsn)
    try:
        async with rival.transaction():
            await rival.execute("SELECT FROM memories WHERE memory_id = $1 FOR UPDATE", held)
            assert await changes.purge(TODAY, 9, by) is None
    finally:
        await rival.close()
    assert await changes.purge(TODAY, 9, by) is not None


async def occupied(store: MemoryStore, database: Database, project_id: str) -> None:
    """A project with a key, memories and their history, and an operation."""
    projects = PostgresProjectStore(database)
    await projects.create_project(Project(project_id, "org", NOW, NOW))
    key = ApiKey(f"key-{project_id}", "org", project_id, "", NOW)
    await projects.create_key(key, project_id.encode())
    await store.commit(adding(*(f"memory {n}" for n in range(5)), project_id=project_id))
    async with database.connection() as connection:
        await connection.execute(
            "INSERT INTO operations (project_id, operation_id, scope_key, payload_digest, "
            "output_format, correlation_id) VALUES ($1, $2, '', '', 'v1.1', 'c')",
            project_id,
            uuid4(),
        )


async def test_a_project_is_deleted_whole_and_no_other(
    store: MemoryStore, projects: ProjectStore, database: Database
) -> None:
    await occupied(store, database, "doomed")
    await occupied(store, database, "other")
    assert await projects.begin_deletion("doomed", NOW)
    assert await projects.get_project("doomed") is None
    assert await projects.find_principal(b"doomed") is None
    assert not await projects.create_project(Project("doomed", "org", NOW, NOW))
    total = await projects.count_rows("doomed")
    deleted: dict[str, int] = {}
    while batch := await projects.delete_rows("doomed", 2):
        assert all(count <= 2 for count in batch.values())
        for table, count in batch.items():
            deleted[table] = deleted.get(table, 0) + count
    assert list(deleted)[:2] == ["operations", "memories"]
    assert deleted == {
        "operations": 1, "memories": 5, "calls": 1, "memory_events": 5, "messages": 5,
    }  # fmt: skip
    assert sum(deleted.values()) == total
    await projects.finish_deletion("doomed")
    assert await tables_with(database, "doomed") == {"graph_outbox", "audit_events"}
    claimed = await PostgresOutbox(database, FakeClock()).claim(99, timedelta(seconds=9))
    doomed = [entry for entry in claimed if entry.project_id == "doomed"]
    outbox = PostgresOutbox(database, FakeClock())
    assert {subgraph.exists for subgraph in await outbox.subgraphs(doomed)} == {False}
    assert len(doomed) == 5
    assert await projects.get_project("other") is not None
    assert await projects.find_principal(b"other") is not None
    assert await projects.count_rows("other") == total + 1
    assert await projects.create_project(Project("doomed", "org", NOW, NOW))


async def test_an_unknown_project_has_nothing_to_delete(
    store: MemoryStore, projects: ProjectStore
) -> None:
    assert not await projects.begin_deletion("nobody's", NOW)
    # A call that was in progress can have left rows behind.
    await store.commit(adding("late", project_id="left over"))
    assert await projects.begin_deletion("left over", NOW)
