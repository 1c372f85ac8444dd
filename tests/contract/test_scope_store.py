"""The contract of whole scopes, held on PostgreSQL and on the fake of the unit tests."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from server.core.errors import RequestIdReused
from server.memories.changes import Deletion
from server.memories.filters.parser import parse_filter
from server.memories.memory import ListOrder
from server.memories.ports import MemoryStore
from server.memories.queries import ListQuery
from server.memories.scope import DeletionReceipt, Scope, ScopeKind, ScopeSummary
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from tests.support.builders import (
    ALICE,
    LISBON,
    NOW,
    PROJECT,
    adding,
    addition,
    call,
    change_set,
    message,
    revision,
)
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.postgres import until_somebody_waits

TODAY = NOW.date()
MANY = 10_000
SCOPES = {
    "user": ALICE,
    "user-run": Scope(user_id="alice", run_id="r"),
    "other-run": Scope(user_id="bob", run_id="r"),
    "agent": Scope(agent_id="alice"),
}


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    if request.param == "fake":
        return FakeStore()
    return PostgresMemoryStore(request.getfixturevalue("database"), on_commit=lambda: None)


@pytest.fixture
def scopes(changes: MemoryStore) -> MemoryStore:
    return changes


only_on_postgres = pytest.mark.parametrize("store", ["postgres"], indirect=True)


async def fill(store: MemoryStore) -> dict[str, UUID]:
    """Stores a memory in every scope of two projects; returns the ids of those in the first."""
    ids = {}
    for text, scope in SCOPES.items():
        ours = adding(text, scope=scope, relations=[LISBON])
        await store.commit(ours)
        await store.commit(adding(text, scope=scope, project_id="project-2"))
        ids[text] = ours.added[0].memory_id
    return ids


async def texts(store: MemoryStore, project_id: str = PROJECT) -> set[str]:
    query = ListQuery(project_id, Scope(), MANY, ListOrder.OLDEST_FIRST, None)
    return {memory.text for memory in await store.list(query)}


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        (ALICE, {"other-run", "agent"}),
        (Scope(run_id="r"), {"user", "agent"}),
        (Scope(user_id="alice", run_id="r"), {"user", "other-run", "agent"}),
        (Scope(user_id="*"), set(SCOPES)),
    ],
)
async def test_the_memories_of_a_scope_are_removed_and_no_others(
    store: MemoryStore, scopes: MemoryStore, commits: list[None], scope: Scope, left: set[str]
) -> None:
    await fill(store)
    deletion = await scopes.delete_memories(call(scope=scope))
    gone = len(SCOPES) - len(left)
    assert deletion.receipt == DeletionReceipt(memories=gone, graph_memories=gone)
    assert await texts(store) == left
    assert await texts(store, "project-2") == set(SCOPES)
    assert commits == [None]


async def test_a_removal_never_empties_a_project(store: MemoryStore, scopes: MemoryStore) -> None:
    await fill(store)
    with pytest.raises(ValueError, match="neither scope nor filters"):
        await scopes.delete_memories(call(scope=Scope()))
    assert await texts(store) == set(SCOPES)


@pytest.mark.parametrize("scope", [Scope(), Scope(user_id="alice")])
async def test_only_what_matches_the_filters_is_removed(
    store: MemoryStore, scopes: MemoryStore, scope: Scope
) -> None:
    await fill(store)
    filters = parse_filter({"text": "user"})
    deletion = await scopes.delete_memories(call(scope=scope), filters)
    assert deletion.receipt.memories == 1
    assert await texts(store) == set(SCOPES) - {"user"}
    assert await texts(store, "project-2") == set(SCOPES)


@only_on_postgres
async def test_removed_memories_leave_the_graph_and_keep_their_history(
    store: MemoryStore, scopes: MemoryStore, database: Database
) -> None:
    ids = await fill(store)
    new_call = call(correlation_id="correlation-9", time=NOW + timedelta(hours=1))
    deletion = await scopes.delete_memories(new_call)
    claimed = await PostgresOutbox(database, FakeClock()).claim(99, timedelta(seconds=9))
    dirty = {entry.memory_id: entry for entry in claimed}
    assert dirty[ids["user"]].correlation_id == "correlation-9"
    assert dirty[ids["user"]].position == deletion.position
    events = await store.events(PROJECT, ids["user"], 0, 9)
    assert [(e.version, e.provenance.call_id == new_call.id) for e in events] == [
        (1, False),
        (2, True),
    ]
    assert events[-1].before == events[0].after


async def test_a_deletion_is_done_once_for_a_request_id(
    store: MemoryStore, scopes: MemoryStore
) -> None:
    await fill(store)
    new_call = call(request_id=uuid4(), payload_digest=b"p")
    assert new_call.request_id is not None
    assert await scopes.find_deletion(PROJECT, new_call.request_id) is None
    deletion = await scopes.delete_memories(new_call)
    assert await scopes.find_deletion(PROJECT, new_call.request_id) == deletion
    assert await scopes.find_deletion("project-2", new_call.request_id) is None
    again = replace(call(scope=Scope(agent_id="alice")), request_id=new_call.request_id)
    with pytest.raises(RequestIdReused):
        await scopes.delete_memories(again)
    with pytest.raises(RequestIdReused):
        await scopes.erase_scope(again, ScopeKind.AGENT, "alice")
    assert await texts(store) == {"other-run", "agent"}


async def with_a_past(store: MemoryStore) -> None:
    """Changed and deleted memories of Alice, with messages, in both projects."""
    for project_id in (PROJECT, "project-2"):
        new_call = call(project_id=project_id)
        kept, gone = addition(new_call, "kept"), addition(new_call, "gone")
        await store.commit(change_set(new_call, [message("said")], [kept, gone]))
        await store.commit(
            change_set(
                call(project_id=project_id, request_id=uuid4()),
                [message("said later")],
                updated=[revision(kept, "changed")],
                deleted=[Deletion(gone.memory.id, 1)],
            )
        )


async def rows_that_name(database: Database, *words: str) -> dict[str, int]:
    """The number of rows of each table that contain one of the words, by project."""
    found: dict[str, int] = {}
    async with database.connection() as connection:
        for table in ("calls", "messages", "memories", "memory_events"):
            rows = await connection.fetch(f"SELECT project_id, t::text AS row FROM {table} AS t")
            for row in rows:
                if any(word in row["row"] for word in words):
                    key = f"{row['project_id']}.{table}"
                    found[key] = found.get(key, 0) + 1
    return found


@only_on_postgres
async def test_nothing_is_left_of_an_erased_user(
    store: MemoryStore, scopes: MemoryStore, database: Database, commits: list[None]
) -> None:
    await with_a_past(store)
    await store.commit(adding("of Bob", scope=Scope(user_id="bob")))
    new_call = replace(call(scope=Scope()), method="DeleteScope")
    deletion = await scopes.erase_scope(new_call, ScopeKind.USER, "alice")
    assert deletion is not None
    assert deletion.receipt == DeletionReceipt(memories=1, messages=2, events=4, graph_memories=1)
    left = await rows_that_name(database, "alice", "kept", "gone", "changed", "said")
    assert {name for name in left if name.startswith(f"{PROJECT}.")} == set()
    assert left["project-2.memory_events"] == 3
    assert await texts(store) == {"of Bob"}
    assert await texts(store, "project-2") == {"changed"}
    assert commits == [None]


@only_on_postgres
async def test_an_erased_user_leaves_the_graph(
    store: MemoryStore, scopes: MemoryStore, database: Database
) -> None:
    outbox = PostgresOutbox(database, FakeClock())
    ids = await fill(store)
    await outbox.settle(await outbox.claim(99, timedelta(seconds=9)))
    await scopes.erase_scope(call(scope=Scope()), ScopeKind.RUN, "r")
    claimed = await outbox.claim(99, timedelta(seconds=9))
    assert {entry.memory_id for entry in claimed} == {ids["user-run"], ids["other-run"]}
    assert [subgraph.exists for subgraph in await outbox.subgraphs(claimed)] == [False, False]


async def test_an_erasure_concerns_one_kind_of_scope_in_one_project(
    store: MemoryStore, scopes: MemoryStore
) -> None:
    await fill(store)
    assert await scopes.erase_scope(call(scope=Scope()), ScopeKind.AGENT, "alice") is not None
    assert await texts(store) == set(SCOPES) - {"agent"}
    assert await texts(store, "project-2") == set(SCOPES)


async def test_erasing_an_empty_scope_writes_nothing(
    store: MemoryStore, scopes: MemoryStore, commits: list[None]
) -> None:
    new_call = call(scope=Scope(), request_id=uuid4())
    assert new_call.request_id is not None
    assert await scopes.erase_scope(new_call, ScopeKind.USER, "alice") is None
    assert await scopes.find_deletion(PROJECT, new_call.request_id) is None
    assert commits == []


@only_on_postgres
async def test_an_erasure_waits_for_a_change_in_progress_and_takes_it_too(
    store: MemoryStore, scopes: MemoryStore, database: Database, postgres_dsn: str
) -> None:
    ids = await fill(store)
    rival = await asyncpg.connect(postgres_dsn)
    try:
        async with rival.transaction():
            await rival.execute(
                "INSERT INTO memory_events SELECT project_id, memory_id, 2, 99, 0, call_id,"
                " 'UPDATE', now(), state FROM memory_events WHERE memory_id = $1",
                ids["agent"],
            )
            await rival.execute(
                "UPDATE memories SET version = 2 WHERE memory_id = $1", ids["agent"]
            )
            erasure = asyncio.create_task(
                scopes.erase_scope(call(scope=Scope()), ScopeKind.AGENT, "alice")
            )
            await until_somebody_waits(rival)
        deletion = await erasure
    finally:
        await rival.close()
    assert deletion is not None
    assert deletion.receipt.events == 2
    assert await store.events(PROJECT, ids["agent"], 0, 9) == []


@pytest.mark.parametrize("whole", [False, True])
async def test_a_large_scope_goes_in_one_call(
    store: MemoryStore, scopes: MemoryStore, whole: bool
) -> None:
    for start in range(0, MANY, 1000):
        await store.commit(adding(*(f"memory {n}" for n in range(start, start + 1000))))
    if whole:
        deletion = await scopes.erase_scope(call(scope=Scope()), ScopeKind.USER, "alice")
    else:
        deletion = await scopes.delete_memories(call())
    assert deletion is not None
    assert deletion.receipt.memories == MANY
    assert await texts(store) == set()


async def test_scopes_are_listed_with_what_they_hold(
    store: MemoryStore, scopes: MemoryStore
) -> None:
    await fill(store)
    new_call = call(time=NOW + timedelta(hours=1))
    await store.commit(change_set(new_call, added=[addition(new_call, "new")]))
    old = call(scope=Scope(user_id="carol"))
    expired = addition(old, "old", expiration_date=TODAY - timedelta(days=1))
    await store.commit(change_set(old, added=[expired]))

    async def listed(kind: ScopeKind, after: str = "", limit: int = 9) -> Sequence[ScopeSummary]:
        return await scopes.list_scopes(PROJECT, kind, after, limit, TODAY)

    users = [
        ScopeSummary(ScopeKind.USER, "alice", 3, new_call.time),
        ScopeSummary(ScopeKind.USER, "bob", 1, NOW),
        ScopeSummary(ScopeKind.USER, "carol", 0, NOW),
    ]
    assert await listed(ScopeKind.USER) == users
    assert await listed(ScopeKind.USER, limit=1) == users[:1]
    assert await listed(ScopeKind.USER, after="alice") == users[1:]
    assert [s.id for s in await listed(ScopeKind.RUN)] == ["r"]
    assert await listed(ScopeKind.APP) == []
    assert await scopes.list_scopes("project-3", ScopeKind.USER, "", 9, TODAY) == []
