"""Composes the service from the databases and models that were opened."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import grpc
from opentelemetry.trace import TracerProvider

from server.api.grpc.admission import Admission
from server.api.grpc.convert.tokens import KEY_BYTES, Tokens
from server.api.grpc.health import HealthService
from server.api.grpc.interceptors.chain import InterceptorChain, build_chain
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.local import LocalCalls
from server.api.grpc.rate_limit import RateLimiter
from server.api.grpc.server import ServerOptions, Servicers, build_server
from server.api.grpc.services.graph import GraphService
from server.api.grpc.services.memory import MemoryService
from server.api.grpc.services.operations import OperationsService
from server.api.grpc.services.project import AuditService, ProjectService, StatisticsService
from server.core.clock import Clock
from server.maintenance import PurgeExpired
from server.memories.add.add_memories import Add
from server.memories.history.events import WatchMemoryEvents
from server.memories.history.tails import EventTails
from server.operations.leases import ScopeTurns
from server.operations.ports import Channel
from server.projects.administration import ListAuditEvents
from server.projects.authorization import Authenticate, Authorize, KeyUses
from server.projects.manage_project import GetProject, UpdateProject
from server.projects.quotas import ProjectQuotas
from server.projects.statistics import GetStatistics
from server.runtime.composition.graph import GraphAccess, compose_graph
from server.runtime.composition.memories import (
    AsynchronousCalls,
    MemoryParts,
    compose_add,
    compose_memories,
    compose_operations,
)
from server.runtime.composition.models import Models
from server.runtime.composition.sampling import Sampler
from server.runtime.composition.worker_figures import Worker
from server.runtime.lifecycle import drain
from server.runtime.readiness import ReadinessProbe
from server.runtime.settings import Settings
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database
from server.storage.postgres.projects import PostgresProjectStore
from server.storage.postgres.schema import PostgresMaintenance, PostgresTokenKey
from server.storage.postgres.servers import PostgresLeases, PostgresNotifications
from server.telemetry.statistics import Statistics


@dataclass(frozen=True, slots=True)
class Service:
    """A running service. `probe` checks whether it is ready; `local` makes calls in the process.

    `http_port` is None if HTTP is not served. Clients in the same process call `local_address`.
    """

    server: grpc.aio.Server
    port: int
    local: LocalCalls
    health: HealthService
    gate: DrainGate
    probe: ReadinessProbe
    models: Models
    calls: AsynchronousCalls
    sampler: Sampler
    statistics: Statistics
    key_uses: KeyUses
    purge: PurgeExpired
    http_port: int | None = None
    local_address: str = ""

    async def drain(self, seconds: float, delay: float = 0.0) -> None:
        """Refuses new calls after `delay`, gives accepted ones `seconds` to finish, and stops."""
        self.calls.workers.stop_claiming()
        await drain(self.server, self.health, self.gate, seconds, delay)


@dataclass(frozen=True, slots=True)
class Opened:
    """What is opened before the service is composed; it is closed after the service."""

    settings: Settings
    database: Database
    models: Models
    access: GraphAccess
    notifications: PostgresNotifications
    worker: Worker | None


@dataclass(frozen=True, slots=True)
class _Stores:
    """The adapters of PostgreSQL."""

    memories: PostgresMemoryStore
    operations: PostgresOperations
    leases: PostgresLeases
    outbox: PostgresOutbox
    projects: PostgresProjectStore


def _open_stores(opened: Opened, clock: Clock) -> _Stores:
    database, notifications = opened.database, opened.notifications
    return _Stores(
        memories=PostgresMemoryStore(
            database,
            partial(notifications.notify, Channel.MEMORY_EVENTS),
            opened.settings.search.index_mb * 2**20,
            notifications.server_id,
            partial(notifications.notify, Channel.GRAPH_OUTBOX),
        ),
        operations=PostgresOperations(database, notifications.server_id),
        leases=PostgresLeases(database, notifications.server_id),
        outbox=PostgresOutbox(database, clock),
        projects=PostgresProjectStore(database),
    )


@dataclass(frozen=True, slots=True)
class _Shared:
    """What both the interceptors and the servicers need, or the tasks in the background."""

    stores: _Stores
    clock: Clock
    health: HealthService
    gate: DrainGate
    statistics: Statistics
    admission: Admission
    quotas: ProjectQuotas
    key_uses: KeyUses


def compose_service(
    opened: Opened, options: ServerOptions, tracer_provider: TracerProvider | None
) -> Service:
    """Composes the service, which listens as `options` say once its server is started.

    Raises:
        CannotListen: the port is taken.
    """
    clock, settings = Clock(), opened.settings
    stores = _open_stores(opened, clock)
    shared = _Shared(
        stores=stores,
        clock=clock,
        health=HealthService(),
        gate=DrainGate(),
        statistics=Statistics(),
        admission=Admission(settings.admission),
        quotas=ProjectQuotas(stores.projects),
        key_uses=KeyUses(stores.projects, clock),
    )
    parts = MemoryParts(settings, stores.memories, opened.models, clock, ScopeTurns(stores.leases))
    add = compose_add(parts, stores.operations)
    calls = compose_operations(
        stores.operations,
        stores.leases,
        stores.memories,
        add,
        opened.notifications,
        settings.operations,
        shared.statistics,
        shared.admission.take_turn,
    )
    servicers = _compose_servicers(opened, shared, parts, add, calls)
    chain = _compose_chain(settings, shared, tracer_provider)
    server, port = build_server(options, servicers, chain)
    maintenance = PostgresMaintenance(opened.database)
    return Service(
        server=server,
        port=port,
        local=LocalCalls(servicers, chain),
        health=shared.health,
        gate=shared.gate,
        probe=ReadinessProbe(maintenance, opened.models.embedder, shared.health.set_ready),
        models=opened.models,
        calls=calls,
        sampler=_compose_sampler(opened, shared),
        statistics=shared.statistics,
        key_uses=shared.key_uses,
        purge=PurgeExpired(stores.memories, clock, settings.retention.purge_days),
    )


def _compose_servicers(
    opened: Opened, shared: _Shared, parts: MemoryParts, add: Add, calls: AsynchronousCalls
) -> Servicers:
    stores, clock, closing = shared.stores, shared.clock, shared.gate.closing
    tails = EventTails(stores.memories, opened.notifications, closing)
    watch = WatchMemoryEvents(stores.memories, tails, closing)
    tokens = Tokens(PostgresTokenKey(opened.database, KEY_BYTES).load)
    graph = compose_graph(opened.access.graph, stores.outbox, stores.memories, clock)
    return Servicers(
        memory=MemoryService(compose_memories(parts, add, calls.submit, watch), tokens),
        graph=GraphService(graph, tokens),
        project=ProjectService(GetProject(stores.projects), UpdateProject(stores.projects, clock)),
        health=shared.health,
        operations=OperationsService(calls.manage, tokens),
        audit=AuditService(ListAuditEvents(stores.projects), tokens),
        statistics=StatisticsService(_compose_statistics(opened, shared), closing),
    )


def _compose_statistics(opened: Opened, shared: _Shared) -> GetStatistics:
    worker, stores = opened.worker, shared.stores
    return GetStatistics(
        stores.projects,
        opened.access.graph,
        stores.outbox,
        stores.operations,
        shared.statistics,
        opened.database.usage,
        shared.clock,
        quotas=shared.quotas.usages,
        **({} if worker is None else {"others": worker.figures_of_others}),
    )


def _compose_sampler(opened: Opened, shared: _Shared) -> Sampler:
    return Sampler(
        shared.stores.outbox,
        shared.stores.operations,
        opened.access.graph,
        [opened.access.breaker, opened.models.reranking],
        shared.admission,
        opened.database.usage,
    )


def _compose_chain(
    settings: Settings, shared: _Shared, tracer_provider: TracerProvider | None
) -> InterceptorChain:
    admission = settings.admission
    return build_chain(
        gate=shared.gate,
        admission=shared.admission,
        rate_limiter=RateLimiter(admission.project_rate, admission.project_burst),
        authenticate=Authenticate(shared.stores.projects, on_use=shared.key_uses.note),
        authorize=Authorize(shared.stores.projects),
        now=shared.clock.now,
        statistics=shared.statistics,
        default_timeout_seconds=settings.grpc.default_deadline,
        tracer_provider=tracer_provider,
        quotas=shared.quotas,
    )
