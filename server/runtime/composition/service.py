"""Composes the service itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from opentelemetry.trace import TracerProvider

from server.api.grpc.admission import Admission
from server.api.grpc.interceptors.chain import build_chain
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.interceptors.entry import RateLimiter
from server.api.grpc.local import LocalCalls
from server.api.grpc.server import HealthService, ServerOptions, Servicers, build_server
from server.api.grpc.services.graph import GraphService
from server.api.grpc.services.memory import MemoryService, MemoryUseCases
from server.api.grpc.services.memory_changes import MutationUseCases
from server.api.grpc.services.operations import OperationsService
from server.api.grpc.services.project import AuditService, ProjectService, StatisticsService
from server.api.grpc.tokens import KEY_BYTES, Tokens
from server.core.addresses import Neo4jAddress
from server.core.background import running
from server.core.clock import Clock
from server.graph.project.projector import GraphProjector
from server.maintenance import PurgeExpired
from server.memories.add.add_memories import AddMemories
from server.memories.add.inferred import RememberInferred
from server.memories.add.verbatim import RememberVerbatim
from server.memories.change.batches import BatchDeleteMemories, BatchUpdateMemories
from server.memories.change.deletion import DeleteMemory, RestoreMemory
from server.memories.change.scopes import DeleteMemories, DeleteScope, ListScopes
from server.memories.change.update_memory import UpdateMemory
from server.memories.history.events import ListMemoryEvents, WatchMemoryEvents
from server.memories.history.tails import EventTails
from server.memories.ports import MemoryStore
from server.memories.search.arms import GraphArm, RerankArm
from server.memories.search.read_memories import GetMemory, ListMemories
from server.memories.search.search_memories import SearchMemories
from server.models.ports import Embedder
from server.operations.idempotency import SerializedByRequestId
from server.operations.leases import ScopeTurns
from server.operations.ports import Channel
from server.projects.administration import GetProject, UpdateProject
from server.projects.audit import ListAuditEvents
from server.projects.authorization import Authenticate, Authorize, KeyUses
from server.projects.quotas import ProjectQuotas
from server.projects.statistics import GetStatistics
from server.runtime.composition.doors import (
    local_socket,
    loopback,
    open_certificates,
    open_http,
    server_options,
    serving_health,
)
from server.runtime.composition.graph import GraphAccess, compose_graph, open_graph
from server.runtime.composition.models import Models, open_models
from server.runtime.composition.observation import (
    Sampler,
    Worker,
    answering_others,
)
from server.runtime.composition.operations import AsynchronousCalls, compose_operations, working
from server.runtime.lifecycle import ReadinessProbe, drain
from server.runtime.settings import Settings
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.outbox import PostgresOutbox
from server.storage.postgres.pool import Database, open_database
from server.storage.postgres.projects import PostgresProjectStore
from server.storage.postgres.schema import PostgresTokenKey, PostgresUpkeep
from server.storage.postgres.servers import PostgresLeases, PostgresNotifications, new_server_id
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


@asynccontextmanager
async def open_service(
    settings: Settings,
    dsn: str,
    graph_address: Neo4jAddress | None,
    tracer_provider: TracerProvider | None = None,
    worker: Worker | None = None,
) -> AsyncIterator[Service]:
    """Serves during the block; callers drain the service before leaving it.

    Without a `graph_address` memories and searches work, and changes wait for a graph. A `worker`
    is one of several processes that serve on one port.

    Raises:
        OSError: the address cannot be listened on.
        CertificateFault: the certificate's files cannot be used.
        SettingsFault: the models cannot be opened.
        EmbedderConflict: the store was written with another embedder.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(dsn, settings.postgres))
        models = await stack.enter_async_context(open_models(settings))
        access = await stack.enter_async_context(open_graph(graph_address, settings.neo4j))
        notifications = PostgresNotifications(dsn, server_id=new_server_id())
        certificates = open_certificates(settings.tls)
        local_address = None
        if certificates is not None:
            directory = worker.directory if worker else stack.enter_context(_private_directory())
            local_address = local_socket(directory, worker.number if worker else 0)
        options = server_options(
            settings, certificates, local_address, worker.port if worker else None
        )
        service, projector = _compose(
            settings, database, models, access, notifications, tracer_provider, worker, options
        )
        await service.probe.refuse_other_embedder()
        await service.health.start()
        await service.probe.check()
        await stack.enter_async_context(
            serving_health(settings, service.health, shares_port=worker is not None)
        )
        await service.server.start()
        stack.push_async_callback(service.server.stop, None)
        local_address = local_address or loopback(settings, service.port)
        http_port = await stack.enter_async_context(
            open_http(
                settings,
                service.local,
                local_address,
                worker.http_port if worker else None,
            )
        )
        stack.enter_context(notifications.subscribe(Channel.GRAPH_OUTBOX, projector.wake))
        await stack.enter_async_context(running("projector", projector.run()))
        if settings.retention.purge_days:
            await stack.enter_async_context(running("retention", service.purge.run()))
        stack.push_async_callback(service.key_uses.flush)
        await stack.enter_async_context(running("key-uses", service.key_uses.run()))
        await stack.enter_async_context(working(service.calls))
        await stack.enter_async_context(service.sampler.running())
        if worker is not None:
            await stack.enter_async_context(
                answering_others(worker, service.statistics, database.usage)
            )
        await stack.enter_async_context(running("readiness", service.probe.run()))
        yield replace(service, http_port=http_port, local_address=local_address)


@contextmanager
def _private_directory() -> Iterator[Path]:
    """Creates a directory for the block that only the owner can enter."""
    with TemporaryDirectory(prefix="memoir-") as directory:
        yield Path(directory)


def _compose_mutations(
    store: MemoryStore,
    embedder: Embedder,
    clock: Clock,
    turns: ScopeTurns,
    watch: WatchMemoryEvents,
) -> MutationUseCases:
    update = UpdateMemory(store, embedder, clock)
    delete = DeleteMemory(store, clock)
    return MutationUseCases(
        update=SerializedByRequestId(update, turns),
        delete=SerializedByRequestId(delete, turns),
        update_batch=SerializedByRequestId(
            BatchUpdateMemories(update, store, embedder, clock), turns
        ),
        delete_batch=SerializedByRequestId(BatchDeleteMemories(delete, store, clock), turns),
        restore=SerializedByRequestId(RestoreMemory(store, embedder, clock), turns),
        delete_memories=DeleteMemories(store, clock),
        delete_scope=DeleteScope(store, clock),
        list_scopes=ListScopes(store, clock),
        events=ListMemoryEvents(store),
        watch=watch,
    )


def _compose(
    settings: Settings,
    database: Database,
    models: Models,
    access: GraphAccess,
    notifications: PostgresNotifications,
    tracer_provider: TracerProvider | None,
    worker: Worker | None,
    options: ServerOptions,
) -> tuple[Service, GraphProjector]:
    clock = Clock()
    projects = PostgresProjectStore(database)
    outbox = PostgresOutbox(database, clock)
    projector = GraphProjector(outbox, access.graph)
    health, gate = HealthService(), DrainGate()
    store = PostgresMemoryStore(
        database,
        partial(notifications.notify, Channel.MEMORY_EVENTS),
        settings.search.index_mb * 2**20,
        notifications.server_id,
        partial(notifications.notify, Channel.GRAPH_OUTBOX),
    )
    tails = EventTails(store, notifications, gate.closing)
    watch = WatchMemoryEvents(store, tails, gate.closing)
    leases = PostgresLeases(database, notifications.server_id)
    turns = ScopeTurns(leases)
    inferred = RememberInferred(
        store,
        models.embedder,
        models.language_model,
        clock,
        turns,
        settings.inference.max_deletions,
    )
    verbatim = RememberVerbatim(store, models.embedder, clock)
    operations = PostgresOperations(database, notifications.server_id)
    add = SerializedByRequestId(
        AddMemories(store, verbatim, inferred, operations.accepted_digest), turns
    )
    admission, quotas = Admission(settings.admission), ProjectQuotas(projects)
    statistics = Statistics()
    breakers = [access.breaker, models.reranking]
    sampler = Sampler(outbox, operations, access.graph, breakers, admission, database.usage)
    get_statistics = GetStatistics(
        projects,
        access.graph,
        outbox,
        operations,
        statistics,
        database.usage,
        clock,
        quotas=quotas.usages,
        **({} if worker is None else {"others": worker.figures_of_others}),
    )
    calls = compose_operations(
        operations,
        leases,
        store,
        add,
        notifications,
        settings.operations,
        statistics,
        admission.take_turn,
    )
    use_cases = MemoryUseCases(
        add=add,
        submit=calls.submit,
        search=SearchMemories(
            store,
            models.embedder,
            clock,
            GraphArm(store, clock),
            RerankArm(models.reranker, settings.gemini.rerank_timeout),
        ),
        get=GetMemory(store, clock),
        list=ListMemories(store, clock),
        mutations=_compose_mutations(store, models.embedder, clock, turns, watch),
    )
    tokens = Tokens(PostgresTokenKey(database, KEY_BYTES).load)
    servicers = Servicers(
        memory=MemoryService(use_cases, tokens),
        graph=GraphService(compose_graph(access.graph, outbox, store, clock), tokens),
        project=ProjectService(GetProject(projects), UpdateProject(projects, clock)),
        health=health,
        operations=OperationsService(calls.manage, tokens),
        audit=AuditService(ListAuditEvents(projects), tokens),
        statistics=StatisticsService(get_statistics, gate.closing),
    )
    key_uses = KeyUses(projects, clock)
    chain = build_chain(
        gate=gate,
        admission=admission,
        rate_limiter=RateLimiter(settings.admission.project_rate, settings.admission.project_burst),
        authenticate=Authenticate(projects, on_use=key_uses.note),
        authorize=Authorize(projects),
        now=clock.now,
        statistics=statistics,
        default_timeout_seconds=settings.grpc.default_deadline,
        tracer_provider=tracer_provider,
        quotas=quotas,
    )
    server, port = build_server(options, servicers, chain)
    local = LocalCalls(servicers, chain)
    probe = ReadinessProbe(PostgresUpkeep(database), models.embedder, health.set_ready)
    service = Service(
        server,
        port,
        local,
        health,
        gate,
        probe,
        models,
        calls,
        sampler,
        statistics,
        key_uses,
        PurgeExpired(store, clock, settings.retention.purge_days),
    )
    return service, projector
