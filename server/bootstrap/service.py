"""The part of the composition root that is the service itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

import grpc
from opentelemetry.trace import TracerProvider

from server.adapters.postgres.entity_splits import PostgresEntitySplits
from server.adapters.postgres.event_stream import PostgresEventStream
from server.adapters.postgres.memory_changes import PostgresMemoryChanges
from server.adapters.postgres.memory_history import PostgresMemoryHistory
from server.adapters.postgres.memory_store import PostgresMemoryStore
from server.adapters.postgres.notifications import PostgresNotifications
from server.adapters.postgres.operations import PostgresOperations
from server.adapters.postgres.outbox import PostgresOutbox
from server.adapters.postgres.pool import Database
from server.adapters.postgres.presence import PostgresPresence, new_server_id
from server.adapters.postgres.project_store import PostgresProjectStore
from server.adapters.postgres.readiness import PostgresReadiness
from server.adapters.postgres.retention import PostgresRetention
from server.adapters.postgres.scope_leases import PostgresScopeLeases
from server.adapters.postgres.scope_store import PostgresScopeStore
from server.adapters.system.clock import SystemClock
from server.application.add_memories import AddMemories
from server.application.authenticate import Authenticate
from server.application.authorize import Authorize
from server.application.batch_delete_memories import BatchDeleteMemories
from server.application.batch_update_memories import BatchUpdateMemories
from server.application.caught_up import CaughtUp
from server.application.delete_memories import DeleteMemories
from server.application.delete_memory import DeleteMemory
from server.application.delete_scope import DeleteScope
from server.application.event_tails import EventTails
from server.application.graph_arm import GraphArm
from server.application.list_memory_events import ListMemoryEvents
from server.application.list_scopes import ListScopes
from server.application.project_graph import GraphProjector
from server.application.project_settings import GetProject, UpdateProject
from server.application.purge_expired import PurgeExpired
from server.application.read_memories import GetMemory, ListMemories
from server.application.remember_inferred import RememberInferred
from server.application.remember_verbatim import RememberVerbatim
from server.application.request_turns import InTurn
from server.application.rerank_arm import RerankArm
from server.application.restore_memory import RestoreMemory
from server.application.scope_turns import ScopeTurns
from server.application.search_memories import SearchMemories
from server.application.update_memory import UpdateMemory
from server.application.visible_relations import VisibleRelations
from server.application.watch_memory_events import WatchMemoryEvents
from server.bootstrap.database import open_database
from server.bootstrap.graph import GraphAccess, GraphAddress, compose_graph, open_graph
from server.bootstrap.models import Models, open_models
from server.bootstrap.observation import (
    Observation,
    Observed,
    compose_observation,
    observing,
)
from server.bootstrap.operations import AsynchronousCalls, compose_operations, working
from server.bootstrap.workers import Worker, answering_others
from server.domain.planning import PlanLimits
from server.lifecycle.background import running
from server.lifecycle.drain import drain
from server.lifecycle.options import admission, rate_limiter, server_options
from server.lifecycle.readiness import ReadinessProbe
from server.ports.clock import Clock
from server.ports.embedder import Embedder
from server.ports.memory_store import MemoryStore
from server.ports.notifications import Channel
from server.settings import Settings
from server.transport.health import HealthService
from server.transport.interceptors.chain import build_interceptors
from server.transport.interceptors.drain import DrainGate
from server.transport.server import Servicers, build_server
from server.transport.services.graph import GraphService
from server.transport.services.memory import MemoryService, MemoryUseCases
from server.transport.services.memory_life import LifeUseCases
from server.transport.services.memory_scopes import ScopeUseCases
from server.transport.services.operations import OperationsService
from server.transport.services.project import ProjectService
from server.transport.services.statistics import StatisticsService


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is serving. `probe` tells whether it is ready."""

    server: grpc.aio.Server
    port: int
    health: HealthService
    gate: DrainGate
    probe: ReadinessProbe
    models: Models
    calls: AsynchronousCalls
    observation: Observation

    async def drain(self, seconds: float, delay: float = 0.0) -> None:
        """Refuses new calls after `delay`, gives accepted ones `seconds` to finish, and stops."""
        self.calls.workers.stop_claiming()
        await drain(self.server, self.health, self.gate, seconds, delay)


@asynccontextmanager
async def open_service(
    settings: Settings,
    dsn: str,
    graph_address: GraphAddress | None,
    tracer_provider: TracerProvider | None = None,
    worker: Worker | None = None,
) -> AsyncIterator[Service]:
    """Serves during the block; who leaves it has drained the service before.

    Without a `graph_address` memories and searches work, and changes wait for a graph. A `worker`
    is one of several processes that serve on one port.

    Raises:
        OSError: the address cannot be listened on.
        SettingsFault: the models cannot be had.
        EmbedderConflict: the store was written with another embedder.
    """
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(dsn, settings.postgres))
        models = await stack.enter_async_context(
            open_models(settings.model_choice(), settings.models)
        )
        access = await stack.enter_async_context(open_graph(graph_address, settings.neo4j))
        notifications = PostgresNotifications(dsn, server_id=new_server_id())
        service, projector = _compose(
            settings, database, models, access, notifications, tracer_provider, worker
        )
        await service.probe.refuse_other_embedder()
        await service.health.start()
        await service.probe.check()
        await service.server.start()
        stack.push_async_callback(service.server.stop, None)
        stack.enter_context(notifications.subscribe(Channel.MEMORY_EVENTS, projector.wake))
        await stack.enter_async_context(running("projector", projector.run()))
        if settings.retention.purge_days:
            retention = PostgresRetention(
                database, partial(notifications.notify, Channel.MEMORY_EVENTS)
            )
            purge = PurgeExpired(retention, SystemClock(), settings.retention.purge_days)
            await stack.enter_async_context(running("retention", purge.run()))
        await stack.enter_async_context(working(service.calls))
        await stack.enter_async_context(observing(service.observation.sampler))
        if worker is not None:
            await stack.enter_async_context(
                answering_others(worker, service.observation.statistics, database.usage)
            )
        await stack.enter_async_context(running("readiness", service.probe.run()))
        yield service


def _compose_life(
    store: MemoryStore,
    embedder: Embedder,
    clock: Clock,
    database: Database,
    on_commit: Callable[[], None],
    turns: ScopeTurns,
    watch: WatchMemoryEvents,
) -> LifeUseCases:
    changes = PostgresMemoryChanges(database, on_commit)
    update = UpdateMemory(store, changes, embedder, clock)
    history = PostgresMemoryHistory(database)
    delete = DeleteMemory(store, changes, history, clock)
    return LifeUseCases(
        update=InTurn(update, turns),
        delete=InTurn(delete, turns),
        update_batch=InTurn(BatchUpdateMemories(update, changes, embedder, clock), turns),
        delete_batch=InTurn(BatchDeleteMemories(delete, changes, clock), turns),
        restore=InTurn(RestoreMemory(store, history, changes, embedder, clock), turns),
        events=ListMemoryEvents(history),
        watch=watch,
    )


def _compose_scopes(
    clock: Clock, database: Database, on_commit: Callable[[], None]
) -> ScopeUseCases:
    scopes = PostgresScopeStore(database, on_commit)
    return ScopeUseCases(
        delete_memories=DeleteMemories(scopes, clock),
        list=ListScopes(scopes, clock),
        delete=DeleteScope(scopes, clock),
    )


def _compose(
    settings: Settings,
    database: Database,
    models: Models,
    access: GraphAccess,
    notifications: PostgresNotifications,
    tracer_provider: TracerProvider | None,
    worker: Worker | None,
) -> tuple[Service, GraphProjector]:
    clock = SystemClock()
    projects = PostgresProjectStore(database)
    outbox = PostgresOutbox(database, clock)
    projector = GraphProjector(outbox, access.graph)
    health, gate = HealthService(), DrainGate()
    on_commit = partial(notifications.notify, Channel.MEMORY_EVENTS)
    stream = PostgresEventStream(database)
    tails = EventTails(stream, notifications, gate.closing)
    watch = WatchMemoryEvents(stream, tails, gate.closing)
    store = PostgresMemoryStore(database, on_commit)
    history = PostgresMemoryHistory(database)
    turns = ScopeTurns(PostgresScopeLeases(database, notifications.server_id))
    inferred = RememberInferred(
        store,
        projects,
        models.embedder,
        models.language_model,
        clock,
        turns,
        PlanLimits(settings.inference.max_deletions),
    )
    verbatim = RememberVerbatim(store, models.embedder, clock)
    operations = PostgresOperations(database, notifications.server_id)
    add = InTurn(AddMemories(store, verbatim, inferred, operations.accepted_digest), turns)
    breakers = [*access.breakers, models.reranking]
    observed = Observed(
        database, access, breakers, outbox, operations, admission(settings.admission)
    )
    observation = compose_observation(observed, clock, worker)
    calls = compose_operations(
        operations,
        PostgresPresence(database),
        store,
        add,
        notifications,
        settings.operations,
        observed.statistics,
    )
    use_cases = MemoryUseCases(
        add=add,
        submit=calls.submit,
        search=SearchMemories(
            store,
            models.embedder,
            clock,
            GraphArm(access.recaller, CaughtUp(outbox), clock),
            RerankArm(models.reranker, settings.models.gemini_rerank_timeout),
            VisibleRelations(store, clock),
        ),
        get=GetMemory(store, history, clock),
        list=ListMemories(store, history, clock),
        life=_compose_life(store, models.embedder, clock, database, on_commit, turns, watch),
        scopes=_compose_scopes(clock, database, on_commit),
    )
    server, port = build_server(
        server_options(settings, worker.port if worker else None),
        Servicers(
            memory=MemoryService(use_cases),
            graph=GraphService(
                compose_graph(
                    access.reader, outbox, store, history, PostgresEntitySplits(database), clock
                )
            ),
            project=ProjectService(GetProject(projects), UpdateProject(projects, clock)),
            health=health,
            operations=OperationsService(calls.manage),
            statistics=StatisticsService(observation.get, gate.closing),
        ),
        build_interceptors(
            gate=gate,
            admission=observed.admission,
            rate_limiter=rate_limiter(settings.admission),
            authenticate=Authenticate(projects),
            authorize=Authorize(projects),
            now=clock.now,
            statistics=observed.statistics,
            default_timeout_seconds=settings.grpc.default_deadline,
            tracer_provider=tracer_provider,
        ),
    )
    probe = ReadinessProbe(PostgresReadiness(database), models.embedder, health.set_ready)
    return Service(server, port, health, gate, probe, models, calls, observation), projector
