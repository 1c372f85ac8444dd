"""What clients find after one process was killed or stopped: promises P1, P4 and P9."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import grpc
import psutil
import pytest
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from server.core.values import Neo4jAddress
from server.embedded import EmbeddedPostgres
from tests.support.errors import details_of
from tests.support.own_databases import Neo4jRoute, at
from tests.support.processes import eventually
from tests.support.server import Client, Home, connected, key_of, make_home

GRAPH_SECONDS = 60.0


async def add(client: Client, text: str, *, infer: bool = True) -> str:
    """Adds one memory and returns its id."""
    response = await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id="alice",
            infer=infer,
            messages=[memory_pb2.Message(role="user", content=text)],
        ),
        metadata=client.metadata,
    )
    return response.results[0].id


async def texts(client: Client) -> set[str]:
    """Returns the texts of Alice's memories, at most 1,000."""
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id="alice", page_size=1000),
        metadata=client.metadata,
    )
    return {memory.text for memory in response.memories}


async def search(client: Client, query: str) -> str:
    """The best hit."""
    response = await client.memory.SearchMemories(
        memory_service_pb2.SearchMemoriesRequest(user_id="alice", query=query, top_k=1),
        metadata=client.metadata,
    )
    return response.results[0].memory.text


async def targets(client: Client) -> set[str]:
    """The targets of Alice's relations in the graph."""
    response = await client.graph.ListRelations(
        graph_service_pb2.ListRelationsRequest(user_id="alice"), metadata=client.metadata
    )
    return {relation.target for relation in response.relations}


async def graph_shows(client: Client, *expected: str) -> None:
    """Waits until the graph has exactly these targets."""

    async def shows() -> bool:
        try:
            return await targets(client) == set(expected)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAVAILABLE:
                raise
            return False

    await eventually(shows, GRAPH_SECONDS, f"the graph with {expected}")


async def test_acknowledged_calls_survive_kill_9_of_the_server(home: Home) -> None:
    server = home.server()
    await server.start()
    key = await key_of(home)
    async with connected(server.address, key) as client:
        memory_id = await add(client, "I work at Acme.")
    await server.kill()

    await server.start()
    async with connected(server.address, key) as client:
        memory = await client.memory.GetMemory(
            memory_service_pb2.GetMemoryRequest(id=memory_id), metadata=client.metadata
        )
        assert "Acme" in memory.memory.text
        await graph_shows(client, "Acme")
    await server.stop()


async def test_kill_9_during_adds_loses_nothing_acknowledged_and_halves_nothing(home: Home) -> None:
    server = home.server()
    await server.start()
    key = await key_of(home)
    acknowledged: set[str] = set()

    async def keep_adding(client: Client, worker: int) -> None:
        for number in range(10_000):
            pair = [f"{worker} says {number}", f"{worker} repeats {number}"]
            try:
                await client.memory.AddMemories(
                    memory_service_pb2.AddMemoriesRequest(
                        user_id="alice",
                        infer=False,
                        messages=[memory_pb2.Message(role="user", content=text) for text in pair],
                    ),
                    metadata=client.metadata,
                )
            except grpc.aio.AioRpcError:
                return
            acknowledged.update(pair)

    async with connected(server.address, key) as client:
        workers = [asyncio.create_task(keep_adding(client, number)) for number in range(8)]

        async def enough() -> bool:
            return len(acknowledged) >= 100

        await eventually(enough, 30.0, "a hundred acknowledged memories")
        await server.kill()
        await asyncio.gather(*workers)

    await server.start()
    async with connected(server.address, key) as client:
        stored = await all_texts(client)
    assert acknowledged <= stored
    for text in stored:
        assert text.replace("repeats", "says") in stored
        assert text.replace("says", "repeats") in stored
    await server.stop()


async def all_texts(client: Client) -> set[str]:
    """Returns the texts of all of Alice's memories, page by page."""
    found: set[str] = set()
    token = ""
    while True:
        page = await client.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(
                user_id="alice", page_size=1000, page_token=token
            ),
            metadata=client.metadata,
        )
        found |= {memory.text for memory in page.memories}
        token = page.next_page_token
        if not token:
            return found


async def test_without_neo4j_adds_and_searches_work_and_the_graph_converges_later(
    home: Home, neo4j_route: Neo4jRoute
) -> None:
    server = at(home, neo4j_route.address)
    await server.start()
    key = await key_of(home)
    async with connected(server.address, key) as client:
        await add(client, "I work at Acme.")
        await graph_shows(client, "Acme")

        await neo4j_route.cut()
        lost = await add(client, "I live in Lisbon.")
        await add(client, "I love hiking.")
        assert "Lisbon" in await search(client, "city of residence")
        await client.memory.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(id=lost), metadata=client.metadata
        )
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await targets(client)
        error = details_of(caught.value)
        assert (error.code, error.reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "GRAPH_UNAVAILABLE",
        )
        assert error.retry_after is not None

        await neo4j_route.open()
        await graph_shows(client, "Acme", "hiking")
    await server.stop()


async def test_sigterm_finishes_accepted_calls_and_refuses_new_ones(home: Home) -> None:
    server = home.server()
    await server.start()
    key = await key_of(home)
    outcomes: list[grpc.StatusCode] = []

    async def keep_adding(client: Client, worker: int) -> None:
        for number in range(10_000):
            try:
                await add(client, f"{worker} says {number}", infer=False)
            except grpc.aio.AioRpcError as error:
                outcomes.append(error.code())
                return

    async with connected(server.address, key) as client:
        workers = [asyncio.create_task(keep_adding(client, number)) for number in range(8)]

        async def busy() -> bool:
            return len(await texts(client)) >= 50

        await eventually(busy, 30.0, "fifty memories")
        server.send(signal.SIGTERM)
        status = await server.wait()
        await asyncio.gather(*workers)
    assert status == 0
    # No accepted call is cut off: a call is refused before it begins, or served.
    assert set(outcomes) == {grpc.StatusCode.UNAVAILABLE}


async def test_acknowledged_calls_survive_kill_9_of_postgresql(
    own_postgres: EmbeddedPostgres, neo4j_address: Neo4jAddress, tmp_path: Path
) -> None:
    home = await make_home(own_postgres.dsn, neo4j_address, tmp_path)
    server = home.server()
    await server.start()
    key = await key_of(home)
    acknowledged: set[str] = set()
    outcomes: set[grpc.StatusCode] = set()

    async def keep_adding(client: Client, worker: int) -> None:
        for number in range(10_000):
            text = f"{worker} says {number}"
            try:
                await add(client, text, infer=False)
            except grpc.aio.AioRpcError as error:
                outcomes.add(error.code())
                return
            acknowledged.add(text)

    async with connected(server.address, key) as client:
        workers = [asyncio.create_task(keep_adding(client, number)) for number in range(8)]

        async def enough() -> bool:
            return len(acknowledged) >= 100

        await eventually(enough, 30.0, "a hundred acknowledged memories")
        assert own_postgres.pid is not None
        psutil.Process(own_postgres.pid).kill()
        await asyncio.gather(*workers)
        assert outcomes == {grpc.StatusCode.UNAVAILABLE}

        async def works_again() -> bool:
            try:
                await add(client, "back again", infer=False)
            except grpc.aio.AioRpcError:
                return False
            return True

        await eventually(works_again, 60.0, "an add after the crash")
        assert acknowledged <= await all_texts(client)
    await server.stop()
