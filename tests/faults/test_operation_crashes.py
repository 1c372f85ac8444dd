"""Asynchronous adds whose server dies while it works on them: P1, P2 and P3."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from memoir.v1 import memory_pb2, memory_service_pb2

from server.core.values import Neo4jAddress
from tests.support.leases import prolong_leases, until_present
from tests.support.operations import metadata_of, response_of, texts, wait
from tests.support.postgres import migrated_database
from tests.support.server import Client, Home, connected, key_of, prepared_home

Metadata = memory_service_pb2.OperationMetadata


@pytest_asyncio.fixture(scope="module")
async def shared(
    postgres_server: str, neo4j_address: Neo4jAddress, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Home]:
    """Databases on which one server after another dies; each test has its own user."""
    directory = tmp_path_factory.mktemp("crashes")
    async with (
        migrated_database(postgres_server) as dsn,
        prepared_home(dsn, neo4j_address, directory) as home,
    ):
        yield home


@pytest_asyncio.fixture(scope="module")
async def accepting(shared: Home) -> AsyncIterator[Client]:
    """A client of a server that works on no operations, so that it answers before the crash."""
    async with (
        shared.running(MEMOIR_OPERATIONS_CONCURRENCY="0") as idle,
        connected(idle.address, await key_of(shared)) as client,
    ):
        yield client


@pytest.mark.parametrize(
    ("infer", "place", "attempts"),
    [
        # Here the dead server leaves both leases, on the operation and on the scope.
        (True, "add.before_commit", 2),
        (False, "add.before_commit", 2),
        (True, "operation.claimed", 2),
        (False, "operation.claimed", 2),
        (True, "add.after_commit_before_answer", 1),
        (False, "add.after_commit_before_answer", 1),
    ],
)
async def test_a_crash_during_an_operation_leaves_one_effect(
    shared: Home,
    accepting: Client,
    user: str,
    infer: bool,
    place: str,
    attempts: int,
) -> None:
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        messages=[memory_pb2.Message(role="user", content="I work at Acme.")],
        infer=infer,
        async_mode=True,
    )
    failing = {"MEMOIR_ALLOW_FAILPOINTS": "true", "MEMOIR_FAILPOINTS": f"{place}:1"}
    async with shared.running(**failing) as dying:
        await until_present(shared.postgres_dsn, servers=2)
        accepted = await accepting.memory.AddMemories(request, metadata=accepting.metadata)
        assert await dying.wait() == -signal.SIGKILL
    # Nothing waits until the dead server's leases expire.
    await prolong_leases(shared.postgres_dsn)
    async with shared.running():
        done = await wait(accepting, accepted.operation.name, seconds=45)
    assert (metadata_of(done).state, metadata_of(done).attempts) == (
        Metadata.STATE_SUCCEEDED, attempts,
    )  # fmt: skip
    assert await texts(accepting, user) == [
        result.data.memory for result in response_of(done).results
    ]
    assert len(await texts(accepting, user)) == 1


async def test_accepted_adds_survive_a_crash_and_are_done_once(home: Home) -> None:
    idle = home.server(MEMOIR_OPERATIONS_CONCURRENCY="0")
    await idle.start()
    key = await key_of(home)
    numbers = range(200)
    async with connected(idle.address, key) as client:
        accepted = await asyncio.gather(
            *(
                client.memory.AddMemories(
                    memory_service_pb2.AddMemoriesRequest(
                        user_id=f"user-{number % 20}",
                        messages=[memory_pb2.Message(role="user", content=f"number {number}")],
                        infer=False,
                        async_mode=True,
                    ),
                    metadata=client.metadata,
                )
                for number in numbers
            )
        )
    await idle.kill()

    servers = [home.server() for _ in range(2)]
    await asyncio.gather(*(server.start() for server in servers))
    async with connected(servers[0].address, key) as client:
        done = [await wait(client, answer.operation.name) for answer in accepted]
        assert {metadata_of(operation).state for operation in done} == {Metadata.STATE_SUCCEEDED}
        listed = await client.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(page_size=1000), metadata=client.metadata
        )
        assert sorted(memory.text for memory in listed.memories) == sorted(
            f"number {number}" for number in numbers
        )
    await asyncio.gather(*(server.stop() for server in servers))
