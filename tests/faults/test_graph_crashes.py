"""Neo4j and PostgreSQL are killed at random moments during changes; the graph is compared.

`GRAPH_CRASH_SEED` repeats the order of a run.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from memoir.v1 import memory_pb2, memory_service_pb2
from neo4j import AsyncGraphDatabase

from server.embedded import EmbeddedPostgres, no_progress
from tests.support.chaos.deployment import Deployment
from tests.support.neo4j import unstarted_neo4j
from tests.support.processes import eventually
from tests.support.seeds import seed_of
from tests.support.server import Client, connected, key_of, make_home

WRITERS = 4
MOST_BETWEEN = 60
CHANGE_SECONDS = 60.0
CALL_SECONDS = 5.0
ADDED = 0.8
USERS = ("alice", "ben")
PEOPLE = ("Maria Lund", "Tom Falk", "Ada Brask")
PLACES = ("Lisbon", "Oslo", "Quito")


@pytest.fixture
def seed() -> int:
    return seed_of("GRAPH_CRASH_SEED")


@pytest_asyncio.fixture
async def deployment(tmp_path: Path, seed: int) -> AsyncIterator[Deployment]:
    postgres = EmbeddedPostgres(tmp_path / "postgres", no_progress)
    neo4j = unstarted_neo4j(tmp_path / "neo4j")
    async with postgres, AsyncExitStack() as stack:
        stack.push_async_callback(neo4j.stop)
        home = await make_home(postgres.dsn, await neo4j.start(), tmp_path)
        deployment = Deployment(home, postgres, neo4j, [home.server()], random.Random(seed))
        stack.push_async_callback(deployment.stop)
        await deployment.servers[0].start()
        yield deployment


class Writers:
    """Clients that change memories about few people without pause; `done` are acknowledged."""

    def __init__(self, client: Client, chance: random.Random) -> None:
        self._client = client
        self._chance = chance
        self._memory_ids: list[str] = []
        self.done = 0

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Changes during the block."""
        stop = asyncio.Event()
        tasks = [asyncio.create_task(self._until(stop)) for _ in range(WRITERS)]
        try:
            yield
        finally:
            stop.set()
            await asyncio.gather(*tasks)

    async def more_changes(self, number: int) -> None:
        """Returns after this many more acknowledged changes."""
        enough = self.done + number

        async def is_enough() -> bool:
            return self.done >= enough

        await eventually(is_enough, CHANGE_SECONDS, f"{number} more changes")

    async def _until(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            try:
                await (self._add() if self._chance.random() < ADDED else self._delete())
            except grpc.aio.AioRpcError:
                # A database is down; clients try again without pause.
                continue
            self.done += 1

    async def _add(self) -> None:
        person, place = self._chance.choice(PEOPLE), self._chance.choice(PLACES)
        request = memory_service_pb2.AddMemoriesRequest(
            user_id=self._chance.choice(USERS),
            run_id=str(uuid4()),
            messages=[
                memory_pb2.Message(
                    role="user", content=f"{person} lives in {place} and works at Globex."
                )
            ],
        )
        response = await self._client.memory.AddMemories(
            request, metadata=self._client.metadata, timeout=CALL_SECONDS
        )
        self._memory_ids += [result.id for result in response.results]

    async def _delete(self) -> None:
        if not self._memory_ids:
            return
        memory_id = self._memory_ids.pop(self._chance.randrange(len(self._memory_ids)))
        await self._client.memory.DeleteMemory(
            memory_service_pb2.DeleteMemoryRequest(id=memory_id),
            metadata=self._client.metadata,
            timeout=CALL_SECONDS,
        )


async def relations_in(deployment: Deployment) -> int:
    """How many relations the graph holds."""
    environment = deployment.home.environment
    account = environment["MEMOIR_NEO4J_USER"], environment["MEMOIR_NEO4J_PASSWORD"]
    async with AsyncGraphDatabase.driver(environment["MEMOIR_NEO4J_URI"], auth=account) as driver:
        records, _, _ = await driver.execute_query(
            "MATCH ()-[r:RELATES_TO]->() RETURN count(r) AS relations"
        )
    return int(records[0]["relations"])


@pytest.mark.slow
async def test_the_graph_equals_postgresql_after_each_death_of_a_database(
    deployment: Deployment,
) -> None:
    victims = [deployment.kill_postgres, deployment.kill_neo4j]
    deployment.chance.shuffle(victims)
    key = await key_of(deployment.home)
    async with connected(deployment.servers[0].address, key) as client:
        writers = Writers(client, deployment.chance)
        for kill in victims:
            async with writers.running():
                await writers.more_changes(deployment.chance.randint(1, MOST_BETWEEN))
                print(f"{await kill()} after {writers.done} changes")
                await writers.more_changes(deployment.chance.randint(1, MOST_BETWEEN))
            await deployment.settled()
    assert await relations_in(deployment), "nothing came to the graph at all"
