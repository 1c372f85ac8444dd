"""The contract of asynchronous calls, on PostgreSQL and on the fake of the unit tests."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from server.core.errors import ConcurrentChange, RequestIdReused
from server.memories.scope import Scope, ScopeKind
from server.operations.operation import OperationState
from server.operations.ports import ClaimedOperation, Operations, Shares
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.pool import Database
from tests.support.builders import ALICE, PROJECT, addition, call, change_set
from tests.support.fake_operations import FakeOperations
from tests.support.submissions import change, submission

LONG = timedelta(minutes=1)
ALL = Shares(largest=100)
EXPIRED = timedelta(0)
"""A lease, a pause or an age that is over at once."""

BOB = Scope(user_id="bob")


@pytest.fixture(params=["fake", "postgres"])
def operations(request: pytest.FixtureRequest) -> Operations:
    if request.param == "fake":
        return FakeOperations()
    stored: Operations = request.getfixturevalue("stored_operations")
    return stored


@pytest.fixture
def stored_operations(database: Database) -> PostgresOperations:
    """The operations in the database of the memories."""
    return PostgresOperations(database)


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


async def claim_one(operations: Operations, lease: timedelta = LONG) -> ClaimedOperation:
    [claimed] = await operations.claim(1, lease, ALL)
    return claimed


async def state(operations: Operations, operation_id: UUID) -> OperationState:
    operation = await operations.get(PROJECT, operation_id)
    assert operation is not None
    return operation.state


async def test_an_operation_keeps_the_place_in_its_trace(operations: Operations) -> None:
    await operations.submit(replace(submission(), traceparent="00-a-b-01"))
    await operations.submit(submission(BOB))
    claimed = await operations.claim(2, LONG, ALL)
    assert [one.traceparent for one in claimed] == ["00-a-b-01", None]


async def test_a_submission_is_stored_unchanged(operations: Operations) -> None:
    submitted = await operations.submit(submission())
    assert submitted.state is OperationState.QUEUED
    assert (submitted.scope, submitted.correlation_id, submitted.attempts) == (ALICE, "c1", 0)
    assert await operations.get(PROJECT, submitted.id) == submitted
    claimed = await claim_one(operations)
    assert (claimed.payload, claimed.attempts, claimed.failures) == (b"payload", 1, 1)


async def test_many_at_once_are_all_kept(operations: Operations) -> None:
    submissions = [submission() for _ in range(600)]
    submitted = await asyncio.gather(*map(operations.submit, submissions))
    assert [operation.id for operation in submitted] == [one.id for one in submissions]
    assert (await operations.queue_statistics(PROJECT)).queued == 600


async def test_a_request_id_is_taken_once(
    stored_operations: PostgresOperations, store: PostgresMemoryStore
) -> None:
    request_id = uuid4()
    submissions = [submission(request_id=request_id) for _ in range(50)]
    submitted = await asyncio.gather(*map(stored_operations.submit, submissions))
    assert len({operation.id for operation in submitted}) == 1
    with pytest.raises(RequestIdReused):
        await stored_operations.submit(
            replace(submissions[0], id=uuid4(), payload_digest=b"another")
        )
    other = await stored_operations.submit(submission(project_id="other", request_id=request_id))
    assert other.project_id == "other"
    used = replace(call(), request_id=uuid4(), payload_digest=b"another")
    await store.commit(change_set(used))
    with pytest.raises(RequestIdReused):
        await stored_operations.submit(submission(request_id=used.request_id))


async def test_only_the_oldest_operation_of_a_scope_is_claimed(operations: Operations) -> None:
    first, second = [await operations.submit(submission()) for _ in range(2)]
    other = await operations.submit(submission(BOB))
    claimed = await operations.claim(10, LONG, ALL)
    assert {one.lease.operation_id for one in claimed} == {first.id, other.id}
    assert not await operations.claim(10, LONG, ALL)
    [mine] = [one for one in claimed if one.lease.operation_id == first.id]
    await operations.release(mine, LONG, is_failure=False)
    assert not await operations.claim(10, LONG, ALL)
    await operations.cancel(PROJECT, first.id, b"")
    assert (await claim_one(operations)).lease.operation_id == second.id


async def test_projects_take_turns(operations: Operations) -> None:
    for number in range(30):
        await operations.submit(submission(Scope(user_id=f"user-{number}"), project_id="busy"))
    for _ in range(3):
        await operations.submit(submission(project_id="quiet"))
    await operations.submit(submission(project_id="other"))
    claimed = await operations.claim(4, LONG, ALL)
    assert sorted(one.project_id for one in claimed) == ["busy", "busy", "other", "quiet"]


async def test_running_operations_count_as_turns_of_their_project(
    operations: Operations,
) -> None:
    for number in range(10):
        await operations.submit(submission(Scope(user_id=f"user-{number}"), project_id="busy"))
    for number in range(3):
        await operations.submit(submission(Scope(user_id=f"user-{number}"), project_id="quiet"))
    claimed = await operations.claim(3, LONG, Shares(largest=100, running={"busy": 3}))
    assert [one.project_id for one in claimed] == ["quiet"] * 3


async def test_a_project_gets_no_more_than_its_share(operations: Operations) -> None:
    for number in range(10):
        await operations.submit(submission(Scope(user_id=f"user-{number}"), project_id="busy"))
    shares = Shares(largest=6, running={"busy": 2})
    assert len(await operations.claim(10, LONG, shares)) == 4
    assert not await operations.claim(10, LONG, Shares(largest=6, running={"busy": 6}))


async def test_racing_workers_never_share_an_operation(operations: Operations) -> None:
    scopes = [Scope(user_id=f"user-{number}") for number in range(40)]
    await asyncio.gather(*(operations.submit(submission(scope)) for scope in scopes))
    claims = await asyncio.gather(*(operations.claim(10, LONG, ALL) for _ in range(12)))
    ids = [one.lease.operation_id for claimed in claims for one in claimed]
    assert len(ids) == len(set(ids))


async def test_a_commit_ends_its_operation(
    stored_operations: PostgresOperations, store: PostgresMemoryStore
) -> None:
    submitted = await stored_operations.submit(submission())
    claimed = await claim_one(stored_operations)
    await store.commit(change(claimed))
    done = await stored_operations.get(PROJECT, submitted.id)
    assert done is not None
    assert (done.state, done.call_id) == (OperationState.SUCCEEDED, submitted.id)
    assert not await stored_operations.release(claimed, EXPIRED, is_failure=True)
    assert not await stored_operations.fail(claimed, "Fault", b"")
    stored = await store.get_call(PROJECT, submitted.id)
    assert stored is not None
    assert [item.memory.text for item in stored.changes] == ["Alice likes tea"]


async def test_a_commit_after_another_server_claimed_the_operation_stores_nothing(
    stored_operations: PostgresOperations, store: PostgresMemoryStore
) -> None:
    submitted = await stored_operations.submit(submission())
    expired = await claim_one(stored_operations, EXPIRED)
    current = await claim_one(stored_operations)
    assert (current.attempts, current.failures) == (2, 2)
    assert not await stored_operations.renew(expired, LONG)
    with pytest.raises(ConcurrentChange):
        await store.commit(change(expired))
    assert await store.get_call(PROJECT, submitted.id) is None
    await store.commit(change(current))
    assert await state(stored_operations, submitted.id) is OperationState.SUCCEEDED


async def test_a_commit_of_a_cancelled_operation_stores_nothing(
    stored_operations: PostgresOperations, store: PostgresMemoryStore
) -> None:
    submitted = await stored_operations.submit(submission())
    claimed = await claim_one(stored_operations)
    assert await stored_operations.cancel(PROJECT, submitted.id, b"error")
    with pytest.raises(ConcurrentChange):
        await store.commit(change(claimed))
    assert await store.get_call(PROJECT, submitted.id) is None
    assert await state(stored_operations, submitted.id) is OperationState.CANCELLED
    assert not await stored_operations.cancel(PROJECT, submitted.id, b"again")


async def test_only_failures_count_against_an_operation(operations: Operations) -> None:
    await operations.submit(submission())
    for is_failure in (False, True, False):
        claimed = await claim_one(operations)
        assert await operations.release(claimed, EXPIRED, is_failure=is_failure, fault="Fault")
    last = await claim_one(operations)
    assert (last.attempts, last.failures) == (4, 2)


async def test_failed_operations_can_be_revived(operations: Operations) -> None:
    submitted = await operations.submit(submission())
    assert await operations.fail(await claim_one(operations), "Fault", b"error")
    failed = await operations.get(PROJECT, submitted.id)
    assert failed is not None
    assert (failed.state, failed.fault, failed.error) == (OperationState.FAILED, "Fault", b"error")
    statistics = await operations.queue_statistics(PROJECT)
    assert (statistics.given_up, statistics.queued) == (1, 0)
    assert await operations.revive(PROJECT, submitted.id)
    assert (await claim_one(operations)).failures == 1


async def test_done_operations_are_pruned_and_no_others(operations: Operations) -> None:
    done = [await operations.submit(submission(Scope(user_id=f"u{n}"))) for n in range(3)]
    for operation in done:
        await operations.cancel(PROJECT, operation.id, b"")
    undone = await operations.submit(submission())
    assert await operations.prune(LONG, 10) == 0
    assert await operations.prune(EXPIRED, 2) == 2
    assert await operations.prune(EXPIRED, 2) == 1
    assert [o.id for o in await operations.list(PROJECT, None, 10, None)] == [undone.id]


async def test_nothing_crosses_projects(operations: Operations) -> None:
    submitted = await operations.submit(submission())
    assert await operations.get("other", submitted.id) is None
    assert not await operations.cancel("other", submitted.id, b"")
    assert not await operations.list("other", None, 10, None)
    assert (await operations.queue_statistics("other")).queued == 0
    assert await operations.cancel(PROJECT, submitted.id, b"")
    assert not await operations.delete("other", submitted.id)
    assert await operations.delete(PROJECT, submitted.id)


async def test_old_request_ids_are_released_and_their_calls_stay(
    stored_operations: PostgresOperations, store: PostgresMemoryStore
) -> None:
    first = replace(call(), request_id=uuid4(), payload_digest=b"first")
    assert first.request_id is not None
    await store.commit(change_set(first, [], [addition(first, "Alice likes tea")]))
    again = replace(call(), request_id=first.request_id, payload_digest=b"second")
    with pytest.raises(RequestIdReused):
        await store.commit(change_set(again))
    century = timedelta(days=36500)
    assert await stored_operations.release_request_ids(century, 10) == 0
    # All calls are older than that.
    assert await stored_operations.release_request_ids(-century, 10) == 1
    assert await store.find_call(PROJECT, first.request_id) is None
    await store.commit(change_set(again))
    found = await store.find_call(PROJECT, first.request_id)
    assert found is not None
    assert found.id == again.id
    kept = await store.get_call(PROJECT, first.id)
    assert kept is not None
    assert kept.changes[0].memory.provenance.request_id == first.request_id


async def test_erasing_a_user_removes_their_queued_operations(
    stored_operations: PostgresOperations, store: PostgresMemoryStore, database: Database
) -> None:
    submitted = await stored_operations.submit(submission())
    other = await stored_operations.submit(submission(BOB))
    claimed = [
        one
        for one in await stored_operations.claim(10, LONG, ALL)
        if one.lease.operation_id == submitted.id
    ]
    assert await store.erase_scope(call(scope=Scope()), ScopeKind.USER, "alice") is not None
    assert await stored_operations.get(PROJECT, submitted.id) is None
    assert await stored_operations.get(PROJECT, other.id) is not None
    with pytest.raises(ConcurrentChange):
        await store.commit(change(claimed[0]))
    assert await store.get_call(PROJECT, submitted.id) is None


async def test_erasing_a_user_removes_their_operations_in_every_state(
    stored_operations: PostgresOperations, store: PostgresMemoryStore, database: Database
) -> None:
    async def begun(scope: Scope) -> ClaimedOperation:
        await stored_operations.submit(submission(scope))
        return await claim_one(stored_operations)

    for scope in (ALICE, BOB):
        await store.commit(change(await begun(scope)))
        other = call(scope=scope)
        await store.commit(change_set(other))
        assert await stored_operations.succeed(await begun(scope), other.id)
        assert await stored_operations.fail(await begun(scope), "Fault", b"error")
        cancelled = await stored_operations.submit(submission(scope))
        assert await stored_operations.cancel(PROJECT, cancelled.id, b"error")
        await stored_operations.submit(submission(scope))
    assert await store.erase_scope(call(scope=Scope()), ScopeKind.USER, "alice") is not None
    left = await stored_operations.list(PROJECT, None, 100, None)
    assert [operation.scope for operation in left] == [BOB] * 5
    assert len({operation.state for operation in left}) == 4
