"""The composition root: the one place where ports meet adapters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import grpc
from opentelemetry.trace import TracerProvider

from server.adapters.absent.graph import AbsentGraph, AbsentGraphReader
from server.adapters.circuit_breaker import CircuitBreaker
from server.adapters.gemini.client import GeminiClient
from server.adapters.gemini.embedder import GeminiEmbedder
from server.adapters.gemini.language_model import GeminiLanguageModel
from server.adapters.neo4j.audit import Neo4jGraphAudit
from server.adapters.neo4j.driver import open_driver
from server.adapters.neo4j.graph import Neo4jGraph
from server.adapters.neo4j.reader import Neo4jGraphReader
from server.adapters.offline.embedder import OfflineEmbedder
from server.adapters.offline.language_model import OfflineLanguageModel
from server.adapters.postgres.memory_changes import PostgresMemoryChanges
from server.adapters.postgres.memory_history import PostgresMemoryHistory
from server.adapters.postgres.memory_store import PostgresMemoryStore
from server.adapters.postgres.outbox import PostgresOutbox
from server.adapters.postgres.pool import Database, PoolOptions, open_pool
from server.adapters.postgres.project_store import PostgresProjectStore
from server.adapters.postgres.projection_source import PostgresProjectionSource
from server.adapters.postgres.readiness import PostgresReadiness
from server.adapters.postgres.schema import migrate
from server.adapters.postgres.scope_leases import PostgresScopeLeases
from server.adapters.postgres.scope_store import PostgresScopeStore
from server.adapters.system.clock import SystemClock
from server.application.add_memories import AddMemories
from server.application.administration import Administration
from server.application.authenticate import Authenticate
from server.application.authorize import Authorize
from server.application.batch_delete_memories import BatchDeleteMemories
from server.application.batch_update_memories import BatchUpdateMemories
from server.application.caught_up import CaughtUp
from server.application.delete_memories import DeleteMemories
from server.application.delete_memory import DeleteMemory
from server.application.delete_scope import DeleteScope
from server.application.find_paths import FindPaths
from server.application.get_entity import GetEntity
from server.application.list_entities import ListEntities
from server.application.list_memory_events import ListMemoryEvents
from server.application.list_relations import ListRelations
from server.application.list_scopes import ListScopes
from server.application.project_graph import GraphProjector
from server.application.project_settings import GetProject, UpdateProject
from server.application.read_memories import GetMemory, ListMemories
from server.application.rebuild_graph import RebuildGraph
from server.application.remember_inferred import RememberInferred
from server.application.remember_verbatim import RememberVerbatim
from server.application.request_turns import InTurn
from server.application.scope_turns import ScopeTurns
from server.application.search_memories import SearchMemories
from server.application.update_memory import UpdateMemory
from server.application.verify_graph import VerifyGraph
from server.application.visible_relations import VisibleRelations
from server.domain.errors import StoreUnavailable
from server.lifecycle.background import running
from server.lifecycle.drain import drain
from server.lifecycle.readiness import ReadinessProbe
from server.ports.clock import Clock
from server.ports.embedder import Embedder
from server.ports.graph import Graph
from server.ports.graph_reader import GraphReader
from server.ports.language_model import LanguageModel
from server.ports.memory_store import MemoryStore
from server.ports.outbox import Outbox
from server.settings import ModelChoice, ModelSettings, PostgresSettings, Settings, SettingsFault
from server.transport.health import HealthService
from server.transport.interceptors.chain import build_interceptors
from server.transport.interceptors.drain import DrainGate
from server.transport.server import ServerOptions, Servicers, build_server
from server.transport.services.graph import GraphService, GraphUseCases
from server.transport.services.memory import MemoryService, MemoryUseCases
from server.transport.services.memory_life import LifeUseCases
from server.transport.services.memory_scopes import ScopeUseCases
from server.transport.services.project import ProjectService


@dataclass(frozen=True, slots=True)
class GraphAddress:
    """Where Neo4j is."""

    uri: str
    user: str
    password: str


@dataclass(frozen=True, slots=True)
class GraphMaintenance:
    """What is done to the graph as a whole."""

    verify: VerifyGraph
    rebuild: RebuildGraph


@dataclass(frozen=True, slots=True)
class Models:
    """Who embeds and who infers."""

    embedder: Embedder
    language_model: LanguageModel


@dataclass(frozen=True, slots=True)
class Service:
    """A service that is serving. `probe` tells whether it is ready."""

    server: grpc.aio.Server
    port: int
    health: HealthService
    gate: DrainGate
    probe: ReadinessProbe
    models: Models

    async def drain(self, seconds: float) -> None:
        """Refuses new calls, gives accepted ones this long to finish, and stops."""
        await drain(self.server, self.health, self.gate, seconds)


@asynccontextmanager
async def open_database(dsn: str, settings: PostgresSettings) -> AsyncIterator[Database]:
    """The connection pool, closed at the end of the block."""
    options = PoolOptions(
        max_size=settings.pool_size,
        acquire_timeout=settings.acquire_timeout,
        statement_timeout=settings.statement_timeout,
    )
    pool = await open_pool(dsn, options)
    try:
        yield Database(pool, settings.acquire_timeout)
    finally:
        pool.terminate()


@asynccontextmanager
async def open_models(choice: ModelChoice, settings: ModelSettings) -> AsyncIterator[Models]:
    """The models, released at the end of the block.

    Raises:
        SettingsFault: Gemini is chosen and there is no key.
    """
    if choice is ModelChoice.OFFLINE:
        yield Models(OfflineEmbedder.load(), OfflineLanguageModel())
        return
    if settings.gemini_api_key is None:
        raise SettingsFault("MEMOIR_MODELS=gemini needs GEMINI_API_KEY")
    client = GeminiClient(
        api_key=settings.gemini_api_key.get_secret_value(),
        base_url=settings.gemini_base_url,
        max_concurrency=settings.gemini_concurrency,
    )
    try:
        yield Models(
            GeminiEmbedder(
                client,
                model_name=settings.gemini_embedding_model,
                dimensions=settings.gemini_embedding_dimensions,
                timeout=settings.gemini_timeout,
            ),
            GeminiLanguageModel(
                client, model_name=settings.gemini_language_model, timeout=settings.gemini_timeout
            ),
        )
    finally:
        await client.close()


@dataclass(frozen=True, slots=True)
class GraphAccess:
    """Keeping the graph, and reading it. `breaker` guards the reads."""

    graph: Graph
    reader: GraphReader
    breaker: CircuitBreaker


@asynccontextmanager
async def open_graph(address: GraphAddress | None, timeout: float) -> AsyncIterator[GraphAccess]:
    """The graph, released at the end of the block; one that is always away without an address."""
    breaker = CircuitBreaker("neo4j")
    if address is None:
        yield GraphAccess(AbsentGraph(), AbsentGraphReader(), breaker)
        return
    driver = open_driver(address.uri, address.user, address.password)
    try:
        yield GraphAccess(
            Neo4jGraph(driver, write_timeout=timeout),
            Neo4jGraphReader(driver, breaker, timeout=timeout),
            breaker,
        )
    finally:
        await driver.close()


async def migrate_database(dsn: str, on_step: Callable[[str], None]) -> int:
    """Brings the schema up to date, telling each step before it, and answers how many there were.

    Raises:
        StoreUnavailable: PostgreSQL cannot be reached.
        SchemaConflict: the database was migrated by another build.
    """
    return await migrate(dsn, lambda step: on_step(f"{step.version:04} {step.name}"))


async def prepare_graph(address: GraphAddress, timeout: float) -> None:
    """Creates the graph's constraints and indexes.

    Raises:
        GraphUnavailable: Neo4j cannot be reached.
    """
    async with open_graph(address, timeout) as access:
        await access.graph.prepare()


@asynccontextmanager
async def open_graph_maintenance(
    settings: Settings, dsn: str, address: GraphAddress
) -> AsyncIterator[GraphMaintenance]:
    """Verifying and rebuilding the graph of a database."""
    driver = open_driver(address.uri, address.user, address.password)
    async with driver, open_database(dsn, settings.postgres) as database:
        clock, timeout = SystemClock(), settings.neo4j.timeout
        graph = Neo4jGraph(driver, write_timeout=timeout)
        outbox, audit = PostgresOutbox(database, clock), Neo4jGraphAudit(driver)
        source = PostgresProjectionSource(database, clock)
        projector = GraphProjector(outbox, graph)
        yield GraphMaintenance(
            VerifyGraph(source, audit), RebuildGraph(source, audit, graph, outbox, projector)
        )


async def is_reachable(dsn: str) -> bool:
    """Whether a PostgreSQL answers there."""
    try:
        async with open_database(dsn, PostgresSettings()) as database:
            await PostgresReadiness(database).schema_fault()
    except StoreUnavailable:
        return False
    return True


@asynccontextmanager
async def open_administration(
    dsn: str, settings: PostgresSettings
) -> AsyncIterator[Administration]:
    """Projects and keys of a database."""
    async with open_database(dsn, settings) as database:
        yield Administration(PostgresProjectStore(database), SystemClock())


@asynccontextmanager
async def open_service(
    settings: Settings,
    dsn: str,
    graph_address: GraphAddress | None,
    tracer_provider: TracerProvider | None = None,
) -> AsyncIterator[Service]:
    """Serves during the block; who leaves it has drained the service before.

    Without a `graph_address` memories and searches work, and changes wait for a graph.

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
        access = await stack.enter_async_context(open_graph(graph_address, settings.neo4j.timeout))
        service, projector = _compose(settings, database, models, access, tracer_provider)
        await service.probe.refuse_other_embedder()
        await service.health.start()
        await service.probe.check()
        await service.server.start()
        stack.push_async_callback(service.server.stop, None)
        await stack.enter_async_context(running("projector", projector.run()))
        await stack.enter_async_context(running("readiness", service.probe.run()))
        yield service


def _compose_life(
    store: MemoryStore,
    embedder: Embedder,
    clock: Clock,
    database: Database,
    on_commit: Callable[[], None],
    turns: ScopeTurns,
) -> LifeUseCases:
    changes = PostgresMemoryChanges(database, on_commit)
    update = UpdateMemory(store, changes, embedder, clock)
    delete = DeleteMemory(store, changes, clock)
    return LifeUseCases(
        update=InTurn(update, turns),
        delete=InTurn(delete, turns),
        update_batch=InTurn(BatchUpdateMemories(update, changes, embedder, clock), turns),
        delete_batch=InTurn(BatchDeleteMemories(delete, changes, clock), turns),
        events=ListMemoryEvents(PostgresMemoryHistory(database)),
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


def _compose_graph(
    reader: GraphReader, outbox: Outbox, store: MemoryStore, clock: Clock
) -> GraphUseCases:
    caught_up, visible = CaughtUp(outbox), VisibleRelations(store, clock)
    return GraphUseCases(
        list_relations=ListRelations(reader, caught_up, visible, clock),
        get_entity=GetEntity(reader, caught_up, visible, clock),
        list_entities=ListEntities(reader, caught_up, visible),
        find_paths=FindPaths(reader, caught_up, visible, clock),
    )


def _compose(
    settings: Settings,
    database: Database,
    models: Models,
    access: GraphAccess,
    tracer_provider: TracerProvider | None,
) -> tuple[Service, GraphProjector]:
    clock = SystemClock()
    projects = PostgresProjectStore(database)
    outbox = PostgresOutbox(database, clock)
    projector = GraphProjector(outbox, access.graph)
    store = PostgresMemoryStore(database, on_commit=projector.wake)
    history = PostgresMemoryHistory(database)
    turns = ScopeTurns(PostgresScopeLeases(database))
    inferred = RememberInferred(
        store, projects, models.embedder, models.language_model, clock, turns
    )
    verbatim = RememberVerbatim(store, models.embedder, clock)
    use_cases = MemoryUseCases(
        add=InTurn(AddMemories(store, verbatim, inferred), turns),
        search=SearchMemories(store, models.embedder, clock),
        get=GetMemory(store, history, clock),
        list=ListMemories(store, history, clock),
        life=_compose_life(store, models.embedder, clock, database, projector.wake, turns),
        scopes=_compose_scopes(clock, database, projector.wake),
    )
    health, gate = HealthService(), DrainGate()
    server, port = build_server(
        ServerOptions(
            address=f"{settings.grpc.host}:{settings.grpc.port}",
            max_receive_bytes=settings.grpc.max_receive_bytes,
            reflection=settings.reflection,
        ),
        Servicers(
            memory=MemoryService(use_cases),
            graph=GraphService(_compose_graph(access.reader, outbox, store, clock)),
            project=ProjectService(GetProject(projects), UpdateProject(projects, clock)),
            health=health,
        ),
        build_interceptors(
            gate=gate,
            authenticate=Authenticate(projects),
            authorize=Authorize(projects),
            now=clock.now,
            default_timeout_seconds=settings.grpc.default_deadline,
            tracer_provider=tracer_provider,
        ),
    )
    probe = ReadinessProbe(PostgresReadiness(database), models.embedder, health.set_ready)
    return Service(server, port, health, gate, probe, models), projector
