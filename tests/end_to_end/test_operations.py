"""Asynchronous adds over the wire."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from uuid import uuid4

import grpc
import pytest
from google.rpc import code_pb2

from tests.support.errors import details_of
from tests.support.operations import (
    Metadata,
    add,
    cancel,
    delete,
    get,
    metadata_of,
    page,
    response_of,
    texts,
    wait,
)
from tests.support.server import Client, Home, connected, create_project, key_of


async def refusal(pending: Awaitable[object]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await pending
    error = details_of(caught.value)
    return error.code, error.reason


@pytest.mark.parametrize("infer", [True, False])
async def test_an_operation_answers_as_the_call_would_have(
    client: Client, user: str, infer: bool
) -> None:
    text = "I work at Acme and I love hiking."
    accepted = await add(client, user, text, infer=infer, async_mode=True)
    assert not accepted.results
    done = await wait(client, accepted.operation.name)
    now = await add(client, f"{user}-now", text, infer=infer)

    metadata, later = metadata_of(done), response_of(done)
    assert done.done
    assert (metadata.state, metadata.attempts, metadata.user_id) == (
        Metadata.STATE_SUCCEEDED, 1, user,
    )  # fmt: skip
    assert metadata.correlation_id
    instants = [metadata.create_time, metadata.start_time, metadata.end_time]
    assert instants == sorted(instants, key=lambda stamp: stamp.ToNanoseconds())
    assert [(r.data.memory, r.event) for r in later.results] == [
        (r.data.memory, r.event) for r in now.results
    ]
    assert later.relations == now.relations
    assert later.models_used == now.models_used
    assert await texts(client, user) == [r.data.memory for r in later.results]
    assert response_of(await get(client, done.name)) == later


async def test_the_calls_of_a_scope_take_effect_in_their_order(client: Client, user: str) -> None:
    expected = [f"number {number}" for number in range(12)]
    accepted = [await add(client, user, text, infer=False, async_mode=True) for text in expected]
    for response in accepted:
        await wait(client, response.operation.name)
    assert await texts(client, user) == expected


async def test_a_request_id_has_one_effect_however_often_it_comes(
    client: Client, user: str
) -> None:
    again = {"request_id": str(uuid4()), "infer": False}
    answers = await asyncio.gather(
        *(add(client, user, "only once", async_mode=True, **again) for _ in range(50))
    )
    assert len({answer.operation.name for answer in answers}) == 1
    done = await wait(client, answers[0].operation.name)
    now = await add(client, user, "only once", **again)
    assert response_of(done).results == now.results
    assert await texts(client, user) == ["only once"]
    other = add(client, user, "another", async_mode=True, **again)
    assert await refusal(other) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_an_operation_answers_as_an_earlier_call_did(client: Client, user: str) -> None:
    again = {"request_id": str(uuid4()), "infer": False}
    now = await add(client, user, "only once", **again)
    later = await add(client, user, "only once", async_mode=True, **again)
    done = await wait(client, later.operation.name)
    assert response_of(done).results == now.results
    assert await texts(client, user) == ["only once"]
    unknown = add(client, user, "another", async_mode=True, **again)
    assert await refusal(unknown) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")


async def test_operations_are_listed_by_state_page_by_page(home: Home) -> None:
    server = home.server(MEMOIR_OPERATIONS_CONCURRENCY="0")
    await server.start()
    async with connected(server.address, await key_of(home)) as client:
        names = [
            (await add(client, "alice", f"number {number}", async_mode=True)).operation.name
            for number in range(5)
        ]
        await cancel(client, names[0])
        first = await page(client, page_size=3, filter="state = QUEUED")
        second = await page(
            client, page_size=3, filter="state = QUEUED", page_token=first.next_page_token
        )
        listed = [operation.name for operation in (*first.operations, *second.operations)]
        assert listed == names[:0:-1]
        assert not second.next_page_token
        assert [o.name for o in (await page(client, filter="done=true")).operations] == [names[0]]
        wrong = page(client, filter="colour = RED")
        assert await refusal(wrong) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELDS")
    await server.stop()


async def test_a_cancelled_operation_has_no_effect(home: Home) -> None:
    idle = home.server(MEMOIR_OPERATIONS_CONCURRENCY="0")
    await idle.start()
    key = await key_of(home)
    async with connected(idle.address, key) as client:
        name = (await add(client, "alice", "I like tea.", async_mode=True)).operation.name
        kept = (await add(client, "alice", "I like milk.", async_mode=True)).operation.name
        waiting = await wait(client, name, seconds=0)
        assert not waiting.done
        assert await refusal(delete(client, name)) == (
            grpc.StatusCode.FAILED_PRECONDITION, "OPERATION_NOT_DONE",
        )  # fmt: skip
        waiter = asyncio.create_task(wait(client, name))
        await cancel(client, name)
        cancelled = await waiter
        assert cancelled.error.code == code_pb2.CANCELLED
        assert metadata_of(cancelled).state == Metadata.STATE_CANCELLED
        await cancel(client, name)
        await delete(client, name)
        assert await refusal(get(client, name)) == (
            grpc.StatusCode.NOT_FOUND, "OPERATION_NOT_FOUND",
        )  # fmt: skip
        # Another server on the same database does the rest.
        worker = home.server()
        await worker.start()
        await wait(client, kept)
        assert await texts(client, "alice") == ["User likes milk"]
        await worker.stop()
    await idle.stop()


async def test_an_operation_belongs_to_its_project(
    home: Home, client: Client, shared_home: Home, user: str
) -> None:
    name = (await add(client, user, "secret", async_mode=True)).operation.name
    await create_project(shared_home.postgres_dsn, "other")
    async with connected(client.address, await key_of(shared_home, "other")) as other:
        forbidden = (grpc.StatusCode.PERMISSION_DENIED, "PROJECT_FORBIDDEN")
        for pending in (get(other, name), wait(other, name), cancel(other, name)):
            assert await refusal(pending) == forbidden
        own = name.replace("projects/e2e/", "projects/other/")
        assert (await refusal(get(other, own)))[0] is grpc.StatusCode.NOT_FOUND
        assert not (await page(other)).operations


async def test_a_queued_operation_has_taken_its_request_id(home: Home) -> None:
    idle = home.server(MEMOIR_OPERATIONS_CONCURRENCY="0")
    await idle.start()
    async with connected(idle.address, await key_of(home)) as client:
        again = {"request_id": str(uuid4()), "infer": False}
        queued = await add(client, "alice", "only once", async_mode=True, **again)
        other = add(client, "alice", "another", **again)
        assert await refusal(other) == (grpc.StatusCode.ALREADY_EXISTS, "REQUEST_ID_REUSED")
        now = await add(client, "alice", "only once", **again)
        worker = home.server()
        await worker.start()
        done = await wait(client, queued.operation.name)
        assert response_of(done).results == now.results
        assert await texts(client, "alice") == ["only once"]
        await worker.stop()
    await idle.stop()
