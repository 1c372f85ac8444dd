"""Many concurrent writers whose memories name the same entities, on two servers."""

from __future__ import annotations

import asyncio

from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2
from neo4j import AsyncDriver

from server.storage.neo4j.graph import Neo4jGraph
from tests.support.server import Client, Home, connected, key_of
from tests.support.whole_graph import doubles, settled

WRITERS = 8
ROUNDS = 6
STORY = (
    "My sister Maria works at Globex and lives in Porto.",
    "My brother Tom works at Globex and lives in Porto.",
)


async def write(client: Client, user: str, run: str) -> None:
    """Adds what the other writers add, in its own scope, so that nothing is a duplicate."""
    await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id=user,
            run_id=run,
            messages=[memory_pb2.Message(role="user", content=text) for text in STORY],
        ),
        metadata=client.metadata,
    )


async def stated(client: Client, user: str) -> list[tuple[str, str, str]]:
    response = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(
            user_id=user, page_size=1000, include_superseded=True
        ),
        metadata=client.metadata,
    )
    return sorted((r.source, r.relation, r.target) for r in response.relations)


async def test_concurrent_writers_of_hot_entities_see_no_error_and_leave_no_duplicate(
    home: Home, idle: None, graph: Neo4jGraph, neo4j_driver: AsyncDriver
) -> None:
    del idle, graph  # is empty, like the database
    servers = [home.server() for _ in range(2)]
    await asyncio.gather(*(server.start() for server in servers))
    key = await key_of(home)

    async def writer(client: Client, number: int) -> None:
        for turn in range(ROUNDS):
            await write(client, "shared", f"run-{number}-{turn}")
            await write(client, f"user-{number}", f"run-{turn}")

    async with connected(servers[0].address, key) as one, connected(servers[1].address, key) as two:
        clients = [one, two]
        async with asyncio.TaskGroup() as writers:
            for number in range(WRITERS):
                writers.create_task(writer(clients[number % 2], number))
        report = await settled(home)
        alone = await stated(one, "user-0")
        shared = await stated(one, "shared")
    for server in servers:
        await server.stop()

    assert ("Maria", "works_at", "Globex") in alone
    assert shared == sorted(alone * WRITERS)
    assert await doubles(neo4j_driver) == []
    assert (report.pending, dict(report.differences)) == (0, {})
    for log in (server.log for server in servers):
        assert "memory_refused" not in log
        assert "Deadlock" not in log
