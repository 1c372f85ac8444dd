"""The audit log: what writes it, and that nothing changes it, held on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest

from server.core.request_context import (
    NOBODY,
    Origin,
    RequestContext,
    current_request,
    enter_origin,
    enter_request,
)
from server.memories.changes import Deletion
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.projects.administration import ListAuditEvents, all_events
from server.projects.ports import ProjectStore
from server.projects.project import ApiKey, AuditEvent, KeyRole, Project, key_digest
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import NOW, PROJECT, addition, call, change_set

CANARY = "kestrel"
OPERATOR = Origin(peer="cli:root@host")


@pytest.fixture
def projects(database: Database) -> ProjectStore:
    return PostgresProjectStore(database)


@pytest.fixture(autouse=True)
def operator() -> Iterator[None]:
    before = current_request()
    enter_origin(OPERATOR)
    enter_request(RequestContext("cli-1", float("inf")))
    yield
    enter_origin(NOBODY)
    enter_request(before)


def project(**fields: object) -> Project:
    created = Project(id="p1", org_id="o1", create_time=NOW, update_time=NOW)
    return replace(created, **fields)  # type: ignore[arg-type] # names fit


async def test_changes_of_a_project_are_logged_with_before_and_after(
    projects: ProjectStore,
) -> None:
    await projects.create_project(project())
    await projects.create_project(project())
    later = NOW + timedelta(seconds=1)
    await projects.update_project(project(default_retention_days=30, update_time=later), NOW)
    await projects.update_project(project(default_retention_days=31, update_time=later), NOW)
    updated, created = await projects.latest_audit_events("p1", 0, 10)
    assert [created.action, updated.action] == ["CreateProject", "UpdateProject"]
    assert (updated.peer, updated.key_id, updated.correlation_id) == (OPERATOR.peer, None, "cli-1")
    assert updated.org_id == "o1"
    assert updated.target == {"project_id": "p1"}
    assert updated.before["default_retention_days"] == 0
    assert updated.after["default_retention_days"] == 30
    assert created.before == {}


@pytest.mark.parametrize("project_id", ["p1", None])
async def test_changes_of_keys_are_logged_without_their_digests(
    projects: ProjectStore, project_id: str | None
) -> None:
    await projects.create_project(project())
    key = ApiKey("k1", "o1", project_id, "laptop", NOW, role=KeyRole.READ, scope=Scope("alice"))
    await projects.create_key(key, key_digest("k1"))
    successor = replace(key, id="k2")
    await projects.rotate_key("k1", NOW, successor, key_digest("k2"))
    await projects.rotate_key("k0", NOW, successor, key_digest("k3"))
    await projects.revoke_key("k2", NOW)
    await projects.revoke_key("k2", NOW)
    revoked, rotated, created = (await projects.latest_audit_events(project_id or "", 0, 10))[:3]
    assert [created.action, rotated.action, revoked.action] == [
        "CreateKey",
        "RotateKey",
        "RevokeKey",
    ]
    assert created.project_id == project_id
    assert (created.after["role"], created.after["user_id"]) == ("read", "alice")
    assert rotated.target == {"key_id": "k1", "successor_id": "k2"}
    assert rotated.before["expire_time"] is None
    assert rotated.after["expire_time"] is not None
    assert revoked.before["revoke_time"] is None
    assert revoked.after["revoke_time"] is not None
    for event in (created, rotated, revoked):
        assert "digest" not in {*event.before, *event.after}


async def forgotten(store: MemoryStore, changes: MemoryStore, *, erase: bool) -> UUID:
    """A memory that a caller with another key added and then deleted."""
    new_call = call()
    item = addition(new_call, f"I saw a {CANARY}")
    await store.commit(change_set(new_call, added=[item]))
    by = replace(
        call(),
        method="DeleteMemory",
        origin=Origin("key-1", "ipv4:10.0.0.7:1"),
        correlation_id="delete-1",
    )
    act = changes.erase if erase else changes.delete
    await act(by, Deletion(item.memory.id, item.memory.version))
    return item.memory.id


@pytest.mark.parametrize("erase", [False, True])
async def test_a_deletion_is_logged_by_ids_and_counts_alone(
    store: MemoryStore,
    changes: MemoryStore,
    projects: ProjectStore,
    postgres_dsn: str,
    erase: bool,
) -> None:
    memory_id = await forgotten(store, changes, erase=erase)
    [event] = await projects.latest_audit_events(PROJECT, 0, 10)
    assert (event.action, event.key_id, event.peer) == ("DeleteMemory", "key-1", "ipv4:10.0.0.7:1")
    assert event.correlation_id == "delete-1"
    assert event.target["memory_ids"] == [str(memory_id)]
    assert (event.before["versions"], event.after["versions"]) == ([1], [2])
    assert event.after["memories"] == 1
    connection = await asyncpg.connect(postgres_dsn)
    try:
        kept = await connection.fetchval("SELECT string_agg(a::text, ' ') FROM audit_events AS a")
    finally:
        await connection.close()
    assert CANARY not in kept


async def test_an_add_is_not_logged(store: MemoryStore, projects: ProjectStore) -> None:
    new_call = call()
    await store.commit(change_set(new_call, added=[addition(new_call, "tea")]))
    assert await projects.latest_audit_events(PROJECT, 0, 10) == []


async def test_retention_is_logged_for_each_project(
    database: Database, store: MemoryStore, projects: ProjectStore
) -> None:
    day = NOW.date()
    new_call = call()
    item = addition(new_call, "tea", expiration_date=day - timedelta(days=10))
    await store.commit(change_set(new_call, added=[item]))
    by = replace(call(scope=Scope()), method="Retention")
    await store.purge(day, 10, lambda _project: by)
    [event] = await projects.latest_audit_events(PROJECT, 0, 10)
    assert (event.action, event.key_id, event.peer) == ("Retention", None, None)
    assert event.after["memories"] == 1


async def test_the_log_of_a_project_outlives_it(
    projects: ProjectStore,
) -> None:
    await projects.create_project(project())
    await projects.create_key(ApiKey("k1", "o1", "p1", "", NOW), key_digest("k1"))
    await projects.begin_deletion("p1", NOW)
    while await projects.delete_rows("p1", 100):
        pass
    await projects.finish_deletion("p1")
    events = await projects.latest_audit_events("p1", 0, 10)
    assert [event.action for event in events] == ["DeleteProject", "CreateKey", "CreateProject"]
    assert events[0].before == {"key_ids": ["k1"]}


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit_events SET peer = ''", "DELETE FROM audit_events", "TRUNCATE audit_events"],
)
async def test_nothing_in_the_log_is_changed(
    projects: ProjectStore, postgres_dsn: str, statement: str
) -> None:
    await projects.create_project(project())
    before = await projects.latest_audit_events("p1", 0, 10)
    connection = await asyncpg.connect(postgres_dsn)
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only ever added to"):
            await connection.execute(statement)
    finally:
        await connection.close()
    assert await projects.latest_audit_events("p1", 0, 10) == before


async def test_the_log_is_read_page_by_page_and_whole(
    projects: ProjectStore,
) -> None:
    await projects.create_project(project())
    await projects.create_project(project(id="p2"))
    for number in range(4):
        await projects.create_key(ApiKey(f"k{number}", "o1", "p1", "", NOW), bytes([number]))
    listing = ListAuditEvents(projects)
    seen: list[AuditEvent] = []
    before = 0
    while True:
        page = await listing("p1", 2, before)
        seen += page.items
        if page.next is None:
            break
        before = page.next
    assert [event.action for event in seen] == ["CreateKey"] * 4 + ["CreateProject"]
    begin = seen[-1].time
    assert [event async for event in all_events(projects, "p1", begin)] == seen[::-1]
    every = [event async for event in all_events(projects, None, begin)]
    assert {event.project_id for event in every} == {"p1", "p2"}
    assert [event async for event in all_events(projects, None, begin + timedelta(days=1))] == []
    assert await projects.latest_audit_events(None, 0, 3) == every[::-1][:3]
    assert await projects.latest_audit_events(None, every[-1].position, 1) == [every[-2]]
