"""Both real stores and a projector with faults, beside a model of the graph."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import count
from uuid import UUID

from neo4j import AsyncDriver

from server.core.transient_errors import GraphUnavailable
from server.core.values import Neo4jAddress
from server.graph.model import Entity, MemorySubgraph, Relation
from server.graph.project.maintenance import RebuildGraph, VerifyGraph
from server.graph.project.projector import GraphProjector, ProjectorOptions
from server.memories.changes import Deletion
from server.memories.memory import fact_digest, today
from server.memories.scope import Scope
from server.storage.neo4j.audit import Neo4jGraphAudit
from server.storage.neo4j.calls import open_driver
from server.storage.neo4j.graph import Neo4jGraph
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from tests.support.builders import NewMemory, addition, call, change_set, revision
from tests.support.fakes import FakeClock
from tests.support.graph_model import ALIAS, Fact, GraphState, expected, read_state
from tests.support.outbox import end_waits
from tests.support.postgres import opened
from tests.support.subgraphs import Triple

BATCH = 3
_NO_LEASE = timedelta(0)
_numbers = count()


class FailingGraph(Neo4jGraph):
    """Fails the next projection at the chosen point: before or after all its changes."""

    fails: str | None = None

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        fails, self.fails = self.fails, None
        if fails == "before":
            raise GraphUnavailable
        await super().project(subgraphs)
        if fails == "after":
            raise GraphUnavailable


@dataclass
class Project:
    """A project in shared stores. `facts` holds its memories by number."""

    dsn: str
    driver: AsyncDriver
    database: Database
    clock: FakeClock
    id: str = field(default_factory=lambda: f"machine-{next(_numbers)}")
    facts: dict[int, Fact] = field(default_factory=dict)
    _items: dict[int, NewMemory] = field(default_factory=dict)
    _texts: count[int] = field(default_factory=count)

    def __post_init__(self) -> None:
        """Creates the use cases."""
        self.outbox = PostgresOutbox(self.database, self.clock)
        self.graph = FailingGraph(self.driver, timeout=30.0)
        self.store = PostgresMemoryStore(self.database, on_commit=lambda: None)
        audit = Neo4jGraphAudit(self.driver)
        options = ProjectorOptions(batch_size=BATCH, poll_interval=timedelta(milliseconds=1))
        self.projector = GraphProjector(self.outbox, self.graph, options)
        self.verify = VerifyGraph(self.outbox, audit)
        self.rebuild = RebuildGraph(self.outbox, audit, self.graph, self.projector)

    async def add(
        self, user: str, triples: Sequence[Triple], alias_of: str | None, days: int | None
    ) -> None:
        """Adds a memory, which expires after so many days unless `days` is None."""
        number, now = next(self._texts), self._pass()
        last_day = None if days is None else today(now) + timedelta(days=days)
        new_call = call(project_id=self.id, scope=Scope(user), time=now)
        item = addition(
            new_call,
            f"fact {number}",
            entities=_entities(alias_of),
            relations=_relations(triples),
            expiration_date=last_day,
        )
        await self.store.commit(change_set(new_call, added=[item]))
        self._items[number] = item
        self.facts[number] = Fact(
            str(item.memory.id), 1, user, tuple(triples), alias_of, now, last_day
        )

    async def update(self, number: int, triples: Sequence[Triple], alias_of: str | None) -> None:
        """Replaces the contents of a memory."""
        fact, now, text = self.facts[number], self._pass(), f"fact {next(self._texts)}"
        changed = replace(
            revision(self._items[number], text, version=fact.version),
            digest=fact_digest(text),
            entities=_entities(alias_of),
            relations=_relations(triples),
        )
        new_call = call(project_id=self.id, scope=Scope(fact.user), time=now)
        await self.store.commit(change_set(new_call, updated=[changed]))
        self.facts[number] = replace(
            fact, version=fact.version + 1, triples=tuple(triples), alias_of=alias_of, time=now
        )

    async def delete(self, number: int) -> None:
        """Deletes a memory."""
        fact = self.facts.pop(number)
        new_call = call(project_id=self.id, scope=Scope(fact.user), time=self._pass())
        deletion = Deletion(UUID(fact.memory_id), fact.version)
        await self.store.commit(change_set(new_call, deleted=[deletion]))

    async def next_day(self) -> None:
        """Advances the clock by a day, so that memories expire."""
        self.clock.time += timedelta(days=1)
        gone = [n for n, fact in self.facts.items() if fact.last_day and fact.last_day < self._day]
        for number in gone:
            del self.facts[number]

    async def stop_projecting(self, *, in_graph: bool) -> None:
        """Simulates a projector that dies after its claim, before or after it wrote the graph."""
        claimed = await self.outbox.claim(BATCH, _NO_LEASE)
        subgraphs = await self.outbox.subgraphs(claimed)
        if in_graph:
            await self.graph.project(subgraphs)

    async def lose_graph(self) -> None:
        """Deletes the project from Neo4j."""
        query = "MATCH (n {project_id: $p}) DETACH DELETE n"
        await self.driver.execute_query(query, p=self.id, database_="neo4j")

    async def catch_up(self) -> None:
        """Projects until the graph has caught up."""
        while True:
            await end_waits(self.dsn)
            await self.outbox.enqueue_overdue()
            if not await self.projector.project_once():
                break
        assert (await self.outbox.backlog(self.id)).pending == 0

    async def compared(self) -> tuple[GraphState, GraphState]:
        """Returns the actual and the required contents of the graph."""
        return await read_state(self.driver, self.id), expected(self.facts.values(), self._day)

    @property
    def _day(self) -> date:
        return today(self.clock.time)

    def _pass(self) -> datetime:
        self.clock.time += timedelta(seconds=1)
        return self.clock.time


def _entities(alias_of: str | None) -> list[Entity]:
    return [Entity(alias_of, "person", (ALIAS,))] if alias_of else []


def _relations(triples: Sequence[Triple]) -> list[Relation]:
    return [Relation(Entity(source), kind, Entity(target)) for source, kind, target in triples]


@dataclass
class Stores:
    """Both real stores. Time advances from project to project, as it does for a database."""

    dsn: str
    driver: AsyncDriver
    database: Database
    clock: FakeClock = field(default_factory=FakeClock)

    def project(self) -> Project:
        """Creates a project."""
        return Project(self.dsn, self.driver, self.database, self.clock)


@asynccontextmanager
async def open_stores(dsn: str, address: Neo4jAddress) -> AsyncIterator[Stores]:
    """Opens the stores for the block, with the graph's schema prepared."""
    async with open_driver(address) as driver:
        await Neo4jGraph(driver, timeout=30.0).prepare()
        async with opened(dsn, pool_size=4) as database:
            yield Stores(dsn, driver, database)
