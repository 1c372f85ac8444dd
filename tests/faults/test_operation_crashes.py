"""What becomes of an asynchronous add when its server dies at work: P1, P2 and P3."""

from __future__ import annotations

import asyncio
import signal

import pytest
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.end_to_end.test_operations import metadata_of, response_of, texts, wait
from tests.support.server import Home, connected, key_of

Metadata = memory_service_pb2.OperationMetadata


@pytest.mark.parametrize("infer", [True, False])
@pytest.mark.parametrize(
    ("place", "attempts"),
    [
        ("operation.claimed", 2),
        ("add.before_commit", 2),
        ("add.after_commit_before_answer", 1),
    ],
)
async def test_a_crash_at_work_leaves_one_effect(
    home: Home, place: str, attempts: int, infer: bool
) -> None:
    dying = home.server(MEMOIR_ALLOW_FAILPOINTS="true", MEMOIR_FAILPOINTS=f"{place}:1")
    await dying.start()
    key = await key_of(home)
    request = memory_service_pb2.AddMemoriesRequest(
        user_id="alice",
        messages=[memory_pb2.Message(role="user", content="I work at Acme.")],
        infer=infer,
        async_mode=True,
    )
    # Accepted by a server that works on nothing, so that the answer comes before the crash.
    idle = home.server(MEMOIR_OPERATIONS_CONCURRENCY="0")
    await idle.start()
    async with connected(idle.address, key) as client:
        accepted = await client.memory.AddMemories(request, metadata=client.metadata)
        assert await dying.wait() == -signal.SIGKILL
        heir = home.server()
        await heir.start()
        done = await wait(client, accepted.operation.name, seconds=45)
        assert (metadata_of(done).state, metadata_of(done).attempts) == (
            Metadata.STATE_SUCCEEDED, attempts,
        )  # fmt: skip
        assert await texts(client, "alice") == [
            result.data.memory for result in response_of(done).results
        ]
        assert len(await texts(client, "alice")) == 1
        await heir.stop()
    await idle.stop()


async def test_what_was_accepted_survives_a_crash_and_two_servers_do_it_once(home: Home) -> None:
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
