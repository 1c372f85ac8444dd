"""Contract of `begin_add`: it takes the scope's lease, and returns settings and candidates."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from server.core.errors import ConcurrentChange
from server.core.values import Vector
from server.memories.add.inference import Category
from server.memories.changes import Deletion
from server.memories.conversation import Role
from server.memories.ports import MemoryStore
from server.memories.queries import AddInputs
from server.memories.scope import Scope
from server.operations.ports import ScopeLease
from server.projects.project import Project
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from tests.support.builders import (
    ALICE,
    LISBON,
    NOW,
    PROJECT,
    adding,
    addition,
    call,
    change_set,
    revision,
    vector,
)
from tests.support.fake_store import FakeStore

TODAY = NOW.date()
LONG = timedelta(minutes=1)
NO_TIME = timedelta(0)
TEA = vector(1, 0, 0)
WAITING = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
STRICT = Project(
    PROJECT,
    "org",
    NOW,
    NOW,
    custom_instructions="Only food.",
    custom_categories=(Category("food", "What is eaten"),),
    keeps_passages=False,
)


@pytest.fixture
def postgres_store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


@pytest.fixture(params=["fake", "postgres"])
def store(request: pytest.FixtureRequest) -> MemoryStore:
    if request.param == "fake":
        return FakeStore()
    stored: MemoryStore = request.getfixturevalue("postgres_store")
    return stored


def lease(project_id: str = PROJECT, scope: Scope = ALICE) -> ScopeLease:
    return ScopeLease(project_id, scope.key(), uuid4())


async def begun(
    store: MemoryStore,
    vectors: Sequence[Vector] = (TEA,),
    limit: int = 5,
    of: ScopeLease | None = None,
    duration: timedelta = NO_TIME,
) -> AddInputs:
    inputs = await store.begin_add(of or lease(), duration, vectors, limit, TODAY)
    assert inputs is not None
    return inputs


async def texts(store: MemoryStore) -> list[str]:
    return [candidate.text for candidate in (await begun(store)).candidates]


async def test_candidates_belong_to_exactly_the_scope_nearest_first(store: MemoryStore) -> None:
    new_call = call()
    added = [
        addition(new_call, "x", embedding=vector(1, 0, 0)),
        addition(
            new_call, "xy", embedding=vector(1, 1, 0), relations=[LISBON], entities=[LISBON.source]
        ),
    ]
    await store.commit(change_set(new_call, [], added))
    other = call()
    fixed = addition(other, "z", embedding=vector(0, 0, 1), immutable=True)
    await store.commit(change_set(other, [], [fixed]))
    await store.commit(adding("of a run", scope=Scope(user_id="alice", run_id="r")))

    found = (await begun(store, limit=2)).candidates
    assert [candidate.text for candidate in found] == ["x", "xy"]
    assert [(candidate.role, candidate.name) for candidate in found] == [(Role.USER, None)] * 2
    assert [list(candidate.relations) for candidate in found] == [[], [LISBON]]
    assert [list(candidate.entities) for candidate in found] == [[], [LISBON.source]]
    assert list(found[1].vector) == pytest.approx(list(vector(1, 1, 0)), abs=1e-3)

    both = (await begun(store, [vector(1, 0, 0), vector(0, 0, 1)], limit=2)).candidates
    assert {candidate.text for candidate in both} == {"x", "xy", "z"}
    assert {candidate.text for candidate in both[:2]} == {"x", "z"}
    assert [candidate.immutable for candidate in both if candidate.text == "z"] == [True]


async def test_memories_of_an_add_are_candidates_of_the_next(store: MemoryStore) -> None:
    """They are kept from the commit, and equal what is read from the database."""
    mine = lease()
    await begun(store, of=mine, duration=LONG)
    new_call = call()
    item = addition(
        new_call, "likes tea", embedding=TEA, relations=[LISBON], entities=[LISBON.source]
    )
    await store.commit(change_set(new_call, added=[item], lease=mine.lease_id))
    [known] = (await begun(store)).candidates
    assert (known.id, known.text, known.version) == (item.memory.id, "likes tea", 1)
    assert (list(known.relations), list(known.entities)) == ([LISBON], [LISBON.source])

    mine = lease()
    await begun(store, of=mine, duration=LONG)
    update = revision(item, "likes coffee")
    await store.commit(change_set(call(), updated=[update], lease=mine.lease_id))
    [known] = (await begun(store)).candidates
    assert (known.text, known.version) == ("likes coffee", 2)
    assert (list(known.relations), known.role) == (list(update.relations), update.role)


async def test_changes_by_hand_are_seen(store: MemoryStore) -> None:
    changes = adding("likes tea")
    await store.commit(changes)
    assert await texts(store) == ["likes tea"]
    later = call(time=NOW + timedelta(seconds=1))
    await store.commit(change_set(later, updated=[revision(changes.added[0], "likes coffee")]))
    assert await texts(store) == ["likes coffee"]
    gone = Deletion(changes.added[0].memory_id, 2)
    await store.commit(change_set(call(), deleted=[gone]))
    assert await texts(store) == []


async def test_no_message_needs_no_candidate(store: MemoryStore) -> None:
    await store.commit(adding("likes tea"))
    assert (await begun(store, [])).candidates == []


async def test_a_lease_of_another_holder_is_not_taken(store: MemoryStore) -> None:
    mine = lease()
    await begun(store, of=mine, duration=LONG)
    assert await store.begin_add(lease(), LONG, [TEA], 5, TODAY) is None
    await store.commit(replace(adding("likes tea"), lease=mine.lease_id))
    assert await texts(store) == ["likes tea"]


async def test_an_add_that_lost_its_lease_fails_alone_among_adds_that_commit_together(
    store: MemoryStore,
) -> None:
    scopes = [Scope(user_id=f"user-{number}") for number in range(16)]
    leases = [lease(scope=scope) for scope in scopes]
    for mine in leases:
        await begun(store, of=mine)
    lost = lease(scope=scopes[7])
    await begun(store, of=lost, duration=LONG)
    changes = [
        replace(adding("likes tea", scope=scope), lease=mine.lease_id)
        for scope, mine in zip(scopes, leases, strict=True)
    ]
    outcomes = await asyncio.gather(*map(store.commit, changes), return_exceptions=True)
    failed = [number for number, each in enumerate(outcomes) if isinstance(each, ConcurrentChange)]
    assert failed == [7]
    for number, scope in enumerate(scopes):
        if number != 7:
            [known] = (await begun(store, of=lease(scope=scope))).candidates
            assert known.text == "likes tea"


async def test_the_settings_of_the_project_come_with_it(
    postgres_store: PostgresMemoryStore, database: Database
) -> None:
    assert await begun(postgres_store) == AddInputs([])
    await PostgresProjectStore(database).create_project(STRICT)
    for store in (postgres_store, FakeStore(projects={PROJECT: STRICT})):
        inputs = await begun(store)
        assert (inputs.instructions, inputs.keeps_passages) == ("Only food.", False)
        assert inputs.categories == STRICT.custom_categories


async def test_changes_committed_by_the_former_holder_are_seen(
    postgres_store: PostgresMemoryStore, database: Database
) -> None:
    """Even if the statement began before that commit, and waited for the lease."""
    mine = lease()
    await begun(postgres_store, of=mine)
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute("DELETE FROM scope_leases WHERE lease = $1", mine.lease_id)
        beginning = asyncio.create_task(texts(postgres_store))
        async with database.connection() as watcher:
            while not await watcher.fetchval(WAITING):
                pass
        await postgres_store.commit(adding("likes tea"))
        assert not beginning.done()
        await transaction.commit()
    assert await beginning == ["likes tea"]
