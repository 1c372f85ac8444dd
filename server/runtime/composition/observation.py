"""Composes what measures and counts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from server.api.grpc.admission import Admission
from server.core.background import running
from server.core.circuit_breaker import CircuitBreaker
from server.core.values import Clock
from server.projects.ports import ProjectStore
from server.projects.quotas import ProjectQuotas
from server.projects.statistics import GetStatistics
from server.runtime.composition.database import open_database
from server.runtime.composition.graph import GraphAccess
from server.runtime.composition.workers import Worker
from server.runtime.sampling import Sampler
from server.runtime.settings import PostgresSettings
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from server.telemetry.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Observation:
    """What this server counts, and the sampler that measures it."""

    sampler: Sampler
    get: GetStatistics
    statistics: Statistics


@dataclass(frozen=True, slots=True)
class Observed:
    """What is observed."""

    database: Database
    access: GraphAccess
    breakers: Sequence[CircuitBreaker]
    outbox: PostgresOutbox
    operations: PostgresOperations
    admission: Admission
    quotas: ProjectQuotas
    statistics: Statistics = field(default_factory=Statistics)

    def open_circuits(self) -> dict[str, bool]:
        """Returns for each dependency with a breaker whether its circuit is open."""
        return {breaker.name: breaker.refuses for breaker in self.breakers}


def compose_observation(observed: Observed, clock: Clock, worker: Worker | None) -> Observation:
    """Returns the sampler and the statistics, which cover all workers if there are several."""
    others = {} if worker is None else {"others": worker.figures_of_others}
    return Observation(
        sampler=Sampler(
            outbox=observed.outbox,
            operations=observed.operations,
            graph=observed.access.graph,
            open_circuits=observed.open_circuits,
            admission=observed.admission,
            pool_usage=observed.database.usage,
        ),
        get=GetStatistics(
            PostgresProjectStore(observed.database),
            observed.access.graph,
            observed.outbox,
            observed.operations,
            observed.statistics,
            observed.database.usage,
            clock,
            quotas=observed.quotas.usages,
            **others,
        ),
        statistics=observed.statistics,
    )


@asynccontextmanager
async def open_projects(dsn: str, settings: PostgresSettings) -> AsyncIterator[ProjectStore]:
    """Opens the projects of a database."""
    async with open_database(dsn, settings) as database:
        yield PostgresProjectStore(database)


@asynccontextmanager
async def observing(sampler: Sampler) -> AsyncIterator[None]:
    """Runs the sampler during the block."""
    async with (
        running("sampling", sampler.run()),
        running("event loop", sampler.watch_event_loop()),
    ):
        yield
