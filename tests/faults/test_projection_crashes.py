"""A server dies at each named place of the projection, twice, and the graph still converges."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from uuid import uuid4

import asyncpg
import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from memoir.v1 import memory_pb2, memory_service_pb2
from neo4j import AsyncDriver

from server import failpoints
from server.storage.neo4j.graph import Neo4jGraph
from tests.support.outbox import end_waits
from tests.support.server import Client, Home, ServerProcess, connected, key_of
from tests.support.whole_graph import settled

PLACES = sorted(name for name in failpoints.NAMES if name.startswith("projection."))


async def change(client: Client, number: int) -> None:
    """A change of a sequence that shares entities, supersedes, updates and deletes."""
    friend = f"My friend Maria{number} works at Globex."
    added = await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id="alice",
            run_id=f"run-{number}",
            messages=[
                memory_pb2.Message(role="user", content=f"I live in City{number}."),
                memory_pb2.Message(role="user", content=friend),
            ],
        ),
        metadata=client.metadata,
    )
    if number % 3 == 1:
        await client.memory.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(id=added.results[0].id),
            metadata=client.metadata,
        )
    if number % 3 == 2:
        await client.memory.UpdateMemory(
            memory_service_pb2.UpdateMemoryRequest(
                id=added.results[-1].id,
                changes=memory_service_pb2.MemoryChanges(text=f"Rewritten {uuid4()}"),
                update_mask=FieldMask(paths=["text"]),
            ),
            metadata=client.metadata,
        )


async def works_until_it_dies(server: ServerProcess, key: str, numbers: Iterator[int]) -> None:
    await server.start()
    async with connected(server.address, key) as client:
        with suppress(grpc.aio.AioRpcError):
            for number in numbers:
                await change(client, number)
    assert await server.wait() == -signal.SIGKILL


async def memories_with_names(dsn: str) -> int:
    """The number of memories in the graph."""
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval(
            "SELECT count(*) FROM memories WHERE entities || relations <> '[]'"
        )
    finally:
        await connection.close()
    assert count
    return count


@pytest.mark.parametrize("place", PLACES)
async def test_the_graph_converges_after_deaths_at_each_place(
    home: Home,
    graph: Neo4jGraph,
    neo4j_driver: AsyncDriver,
    place: str,
) -> None:
    del graph  # is empty, like the database, so that all of both is compared
    key = await key_of(home)
    numbers = count()
    for times in (1, 2):
        doomed = home.server(MEMOIR_ALLOW_FAILPOINTS="true", MEMOIR_FAILPOINTS=f"{place}:{times}")
        await works_until_it_dies(doomed, key, numbers)
        await end_waits(home.postgres_dsn)

    heir = home.server()
    await heir.start()
    async with connected(heir.address, key) as client:
        await change(client, 3)
    report = await settled(home)
    await heir.stop()
    assert (report.pending, dict(report.differences)) == (0, {})
    assert report.memories > 2
    # The graph is equal because it has its memories, and not because both are empty.
    # A server that died during a rehearsal may have left memories of no project.
    counted = await neo4j_driver.execute_query(
        "MATCH (m:Memory) WHERE m.project_id <> '' RETURN count(m) AS memories"
    )
    assert counted.records[0]["memories"] == await memories_with_names(home.postgres_dsn)
