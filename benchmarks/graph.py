"""Measures how fast the graph follows the memories, and how fast a large graph answers.

    python -m benchmarks.graph [--relations N] [--adds N] [--callers N] [--reads N]

It uses its own PostgreSQL and Neo4j, and measures one after the other:

- backlog: memories of one user, two relations each, wait in the outbox; one projector empties it.
  The second half is also shown separately: by then the JVM of Neo4j has compiled its hot code.
- lag: callers send inferred adds without pause. Other callers also add, and read their relations
  with the token of the add; the lag is the time from the add's answer to the read's. A quarter as
  many adds come first and do not count.
- reads: people of the user with the backlog, and their neighbourhood of one, two and three hops.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
import uvloop
from memoir.v1 import (
    graph_service_pb2,
    graph_service_pb2_grpc,
    memory_pb2,
    memory_service_pb2,
    memory_service_pb2_grpc,
)
from rich.console import Console
from rich.table import Table

from benchmarks.load import Figures, closed_loop
from benchmarks.running import prepared
from benchmarks.servers import PROJECT, serving
from benchmarks.stores import databases, remember
from benchmarks.worlds import CITY, COMPANY, FIRST, LAST, Fact
from server.core.clock import Clock
from server.core.values import Neo4jAddress
from server.graph.model import Entity, Relation
from server.graph.project.projector import GraphProjector
from server.memories.scope import Scope
from server.models.offline.embedder import OfflineEmbedder
from server.runtime.composition.graph import open_graph
from server.runtime.settings import Neo4jSettings
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import PostgresOptions, open_database
from server.telemetry.logging import configure_logging

READER = "well-known"
STORED_AT_ONCE = 500
PROBES = 4
RELATIONS_EACH = 2
USERS = 200


class Service:
    """The calls of one server."""

    def __init__(self, channel: grpc.aio.Channel, key: str) -> None:
        self._memories = memory_service_pb2_grpc.MemoryServiceStub(channel)
        self._graph = graph_service_pb2_grpc.GraphServiceStub(channel)
        self._metadata = (("authorization", f"Token {key}"),)

    async def add(self, number: int) -> tuple[str, str]:
        """Adds a message with two relations; returns the user and the token of the add."""
        user = f"user-{number % USERS}"
        text = f"{person(number)} lives in {CITY[number % len(CITY)]} and works at Acme."
        response = await self._memories.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=user,
                output_format="v1.1",
                messages=[memory_pb2.Message(role="user", content=text)],
            ),
            metadata=self._metadata,
        )
        return user, response.consistency_token

    async def stated(self, number: int, user: str, token: str) -> int:
        """Returns the number of a person's relations, once the graph holds the add of the token."""
        request = graph_service_pb2.ListRelationsRequest(
            user_id=user, entity=person(number), consistency_token=token
        )
        while True:
            try:
                response = await self._graph.ListRelations(request, metadata=self._metadata)
            except grpc.aio.AioRpcError as error:
                # A call waits for 5 s and then fails with GRAPH_BEHIND.
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                return len(response.relations)

    async def neighbourhood(self, number: int, depth: int) -> None:
        """Reads a person of the large user."""
        await self._graph.GetEntity(
            graph_service_pb2.GetEntityRequest(user_id=READER, name=person(number), depth=depth),
            metadata=self._metadata,
        )


@asynccontextmanager
async def running(environment: Mapping[str, str], key: str) -> AsyncIterator[Service]:
    """Runs a server during the block."""
    with TemporaryDirectory(prefix="memoir-bench-") as folder:
        log = Path(folder, "log")
        async with (
            serving("-m", "server", "serve", environment=environment, log=log) as address,
            grpc.aio.insecure_channel(address) as channel,
        ):
            yield Service(channel, key)


def person(number: int) -> str:
    """Returns a name that is unique for each number."""
    first, number = FIRST[number % len(FIRST)], number // len(FIRST)
    last, number = LAST[number % len(LAST)], number // len(LAST)
    letters = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return f"{first} {last}{letters}"


def backlog(relations: int) -> list[Fact]:
    """Returns facts with two relations each, and ten times as many relations as people."""
    chance = random.Random(1)
    people = [Entity(person(number), "person") for number in range(max(2, relations // 10))]
    facts = []
    for number in range(relations // RELATIONS_EACH):
        one, other = chance.sample(people, 2)
        company = Entity(chance.choice(COMPANY), "organization")
        text = f"{one.name} of {company.name} met {other.name} on day {number}."
        stated = Relation(one, "knows", other), Relation(one, "works_at", company)
        facts.append(Fact(text, stated))
    return facts


async def projection_rates(dsn: str, address: Neo4jAddress, relations: int) -> tuple[float, float]:
    """Returns the relations per second of one projector with a full outbox: in all, last half."""
    facts = backlog(relations)
    async with (
        open_database(dsn, PostgresOptions()) as database,
        open_graph(address, Neo4jSettings()) as access,
    ):
        store, embedder = PostgresMemoryStore(database, lambda: None), OfflineEmbedder.load()
        for start in range(0, len(facts), STORED_AT_ONCE):
            some = facts[start : start + STORED_AT_ONCE]
            await remember(store, embedder, Scope(user_id=READER), some)
        projector = GraphProjector(PostgresOutbox(database, Clock()), access.graph)
        await access.graph.prepare()
        done, times = [0], [time.perf_counter()]
        while projected := await projector.project_once():
            done.append(done[-1] + projected)
            times.append(time.perf_counter())
        middle = len(done) // 2
        late = (done[-1] - done[middle]) / (times[-1] - times[middle])
        return RELATIONS_EACH * done[-1] / (times[-1] - times[0]), RELATIONS_EACH * late


async def lag(service: Service, callers: int, adds: int) -> tuple[Figures, Figures]:
    """Measures adds under full load, and the lag of the graph after other adds."""
    await closed_loop(service.add, callers=callers, calls=adds // 4)
    await service.stated(0, *await service.add(0))
    load = asyncio.create_task(closed_loop(service.add, callers=callers, calls=adds))
    lags: list[float] = []
    numbers = count(adds)

    async def probe() -> None:
        while not load.done():
            number = next(numbers)
            user, token = await service.add(number)
            answered = time.perf_counter()
            if await service.stated(number, user, token) != RELATIONS_EACH:
                raise RuntimeError("the graph lacks relations of an add that it has acknowledged")
            lags.append(time.perf_counter() - answered)

    begun = time.perf_counter()
    await asyncio.gather(*(probe() for _ in range(PROBES)))
    return await load, Figures.of(lags, time.perf_counter() - begun)


async def reads(service: Service, people: int, calls: int) -> dict[int, Figures]:
    """Measures reads of single people, by the depth of the neighbourhood."""
    chance = random.Random(2)
    chosen = [chance.randrange(people) for _ in range(calls)]
    found = {}
    for depth in (1, 2, 3):

        async def read(number: int, depth: int = depth) -> None:
            await service.neighbourhood(chosen[number], depth)

        found[depth] = await closed_loop(read, callers=1, calls=calls)
    return found


def parse_arguments() -> argparse.Namespace:
    """Returns the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.graph", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--relations", type=int, default=100_000, help="in the backlog")
    parser.add_argument("--adds", type=int, default=6000, help="adds of the full load")
    parser.add_argument("--callers", type=int, default=16, help="who make them, at a time")
    parser.add_argument("--reads", type=int, default=200, help="reads of each kind")
    return parser.parse_args()


async def main() -> None:
    """Measures and prints."""
    arguments = parse_arguments()
    configure_logging("console", "WARNING")
    table = Table("what", "a second", "p50 ms", "p95 ms", "p99 ms")
    async with databases() as (server_dsn, address):
        variables = {
            "MEMOIR_NEO4J_URI": address.uri,
            "MEMOIR_NEO4J_USER": address.user,
            "MEMOIR_NEO4J_PASSWORD": address.password,
        }
        async with prepared(server_dsn, PROJECT, **variables) as (environment, key):
            dsn = environment["MEMOIR_POSTGRES_DSN"]
            rate, late = await projection_rates(dsn, address, arguments.relations)
            table.add_row("relations projected", f"{rate:,.0f}")
            table.add_row("of them, the second half", f"{late:,.0f}")
            async with running(environment, key) as service:
                adds, lags = await lag(service, arguments.callers, arguments.adds)
                depths = await reads(service, arguments.relations // 10, arguments.reads)
    add_row(table, "adds under full load", adds)
    add_row(table, "lag of the graph meanwhile", lags)
    for depth, figures in depths.items():
        add_row(table, f"neighbourhood, hops: {depth}", figures)
    Console().print(table)


def add_row(table: Table, what: str, figures: Figures) -> None:
    """Adds a row to the table."""
    latencies = (figures.p50_ms, figures.p95_ms, figures.p99_ms)
    table.add_row(what, f"{figures.rate:,.0f}", *(f"{ms:,.1f}" for ms in latencies))


if __name__ == "__main__":
    uvloop.run(main())
