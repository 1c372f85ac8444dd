"""The trace of a request by its correlation id, on PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

import pytest

from server.core.clock import Clock, new_id
from server.graph.model import Entity
from server.memories.changes import Deletion
from server.memories.memory import EventType
from server.operations.operation import OperationState
from server.operations.ports import Submission
from server.projects.ports import ProjectStore
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import (
    ALICE,
    NOW,
    PROJECT,
    addition,
    call,
    change_set,
    message,
    revision,
)

LEASE = timedelta(minutes=1)


@pytest.fixture
def projects(database: Database) -> ProjectStore:
    return PostgresProjectStore(database)


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


async def test_an_unknown_id_leads_to_nothing(projects: ProjectStore) -> None:
    found = await projects.trace("nobody-sent-this")
    assert (found.calls, found.changes, found.operations) == ([], [], [])


async def test_a_call_is_found_with_its_messages_and_changes(
    projects: ProjectStore, store: PostgresMemoryStore
) -> None:
    first = call(correlation_id="first")
    kept = addition(first, "Alice likes tea")
    gone = addition(first, "Alice likes jam")
    await store.commit(change_set(first, [message("I like tea and jam")], [kept, gone]))
    second = call(correlation_id="second")
    await store.commit(
        change_set(
            second,
            updated=[revision(kept, "Alice likes green tea")],
            deleted=[Deletion(gone.memory.id, 1)],
        )
    )
    found = await projects.trace("first")
    (stored,) = found.calls
    assert (stored.call_id, stored.method, stored.messages) == (first.id, "AddMemories", 1)
    assert (stored.embedding_model, stored.language_model) == ("test/embedder", "test/model")
    assert [(c.memory_id, c.type) for c in found.changes] == [
        (kept.memory.id, EventType.ADD),
        (gone.memory.id, EventType.ADD),
    ]
    later = await projects.trace("second")
    assert {(c.memory_id, c.type, c.version) for c in later.changes} == {
        (kept.memory.id, EventType.UPDATE, 2),
        (gone.memory.id, EventType.DELETE, 2),
    }


async def test_a_change_shows_whether_the_graph_holds_it(
    projects: ProjectStore, store: PostgresMemoryStore, database: Database
) -> None:
    new_call, outbox = call(correlation_id="one"), PostgresOutbox(database, Clock())
    await store.commit(
        change_set(
            new_call, [], [addition(new_call, "Alice likes tea", entities=[Entity("Alice")])]
        )
    )
    assert [c.in_graph for c in (await projects.trace("one")).changes] == [False]
    await outbox.settle(await outbox.claim(1, LEASE))
    assert [c.in_graph for c in (await projects.trace("one")).changes] == [True]


async def test_a_change_that_the_graph_refused_says_why(
    projects: ProjectStore, store: PostgresMemoryStore, database: Database
) -> None:
    new_call, outbox = call(correlation_id="one"), PostgresOutbox(database, Clock())
    await store.commit(
        change_set(
            new_call, [], [addition(new_call, "Alice likes tea", entities=[Entity("Alice")])]
        )
    )
    (dirty,) = await outbox.claim(1, LEASE)
    await outbox.refuse(dirty, "out of order", timedelta(0), patience=1)
    (change,) = (await projects.trace("one")).changes
    assert (change.in_graph, change.given_up, change.fault) == (False, True, "out of order")


async def test_an_operation_is_found_before_it_is_done(
    projects: ProjectStore, database: Database
) -> None:
    submitted = Submission(
        id=new_id(NOW),
        project_id=PROJECT,
        scope=ALICE,
        payload=b"payload",
        output_format="v1.1",
        correlation_id="later",
        request_id=None,
        payload_digest=b"",
    )
    await PostgresOperations(database).submit(submitted)
    found = await projects.trace("later")
    assert [(o.operation_id, o.state) for o in found.operations] == [
        (submitted.id, OperationState.QUEUED)
    ]
    assert found.calls == []


async def test_the_same_id_in_another_project_can_be_left_out(
    projects: ProjectStore, store: PostgresMemoryStore
) -> None:
    mine, other = call(correlation_id="shared"), call(correlation_id="shared", project_id="other")
    for of in mine, other:
        await store.commit(change_set(of, [], [addition(of, "Alice likes tea")]))
    assert {c.project_id for c in (await projects.trace("shared")).calls} == {PROJECT, "other"}
    found = await projects.trace("shared", "other")
    assert [c.project_id for c in found.calls] == ["other"]
    assert [c.project_id for c in found.changes] == ["other"]
