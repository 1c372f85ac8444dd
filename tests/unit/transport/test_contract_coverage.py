"""Everything in the contract is either done or on the one list of what is not, never both."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import Default
from memoir.v1 import (
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

from server.application.add_memories import AddMemories
from server.application.batch_delete_memories import BatchDeleteMemories
from server.application.batch_update_memories import BatchUpdateMemories
from server.application.caught_up import CaughtUp
from server.application.delete_memories import DeleteMemories
from server.application.delete_memory import DeleteMemory
from server.application.delete_scope import DeleteScope
from server.application.event_tails import EventTails
from server.application.find_paths import FindPaths
from server.application.get_entity import GetEntity
from server.application.get_statistics import GetStatistics
from server.application.graph_arm import GraphArm
from server.application.list_entities import ListEntities
from server.application.list_memory_events import ListMemoryEvents
from server.application.list_relations import ListRelations
from server.application.list_scopes import ListScopes
from server.application.operations import ManageOperations, SubmitAdd
from server.application.past_graph import PastGraph
from server.application.project_settings import GetProject, UpdateProject
from server.application.read_memories import GetMemory, ListMemories
from server.application.remember_verbatim import RememberVerbatim
from server.application.rerank_arm import RerankArm
from server.application.restore_memory import RestoreMemory
from server.application.search_memories import SearchMemories
from server.application.update_memory import UpdateMemory
from server.application.visible_relations import VisibleRelations
from server.application.watch_memory_events import WatchMemoryEvents
from server.ports.pool import PoolUsage
from server.telemetry.statistics import Statistics
from server.transport.health import HealthService
from server.transport.registration import implemented_methods
from server.transport.server import CONTRACT, Servicers, servicer_of
from server.transport.services.graph import GraphService, GraphUseCases
from server.transport.services.memory import MemoryService, MemoryUseCases
from server.transport.services.memory_life import LifeUseCases
from server.transport.services.memory_scopes import ScopeUseCases
from server.transport.services.operations import OperationsService
from server.transport.services.project import ProjectService
from server.transport.services.statistics import StatisticsService
from tests.support.fake_changes import FakeChanges
from tests.support.fake_counts import FakeCounts
from tests.support.fake_history import FakeEventStream, FakeHistory, FakeSplits
from tests.support.fake_operations import FakeNotifications, FakeOperations
from tests.support.fake_scopes import FakeScopes
from tests.support.fake_store import FakeStore
from tests.support.fakes import (
    FakeClock,
    FakeEmbedder,
    FakeGraph,
    FakeOutbox,
    FakeProjectStore,
    FakeReranker,
)

FILES = (graph_service_pb2, memory_service_pb2, project_service_pb2, statistics_service_pb2)


@pytest.fixture(scope="module")
def servicers() -> Servicers:
    store, embedder, clock = FakeStore(), FakeEmbedder(), FakeClock()
    verbatim = RememberVerbatim(store, embedder, clock)
    use_cases = MemoryUseCases(
        add=AddMemories(store, verbatim, verbatim),
        submit=SubmitAdd(FakeOperations(), store, clock, lambda: None),
        search=SearchMemories(
            store,
            embedder,
            clock,
            GraphArm(FakeGraph(), CaughtUp(FakeOutbox()), clock),
            RerankArm(FakeReranker(), 1.0),
            VisibleRelations(store, clock),
        ),
        get=GetMemory(store, FakeHistory(), clock),
        list=ListMemories(store, FakeHistory(), clock),
        life=life_of(store),
        scopes=ScopeUseCases(
            delete_memories=DeleteMemories(FakeScopes(), clock),
            list=ListScopes(FakeScopes(), clock),
            delete=DeleteScope(FakeScopes(), clock),
        ),
    )
    operations, outbox = FakeOperations(), FakeOutbox()
    graph = GraphService(graph_of(store, clock))
    projects = FakeProjectStore()
    project = ProjectService(GetProject(projects), UpdateProject(projects, clock))
    return Servicers(
        MemoryService(use_cases),
        graph,
        project,
        HealthService(),
        OperationsService(ManageOperations(operations, store, FakeNotifications())),
        StatisticsService(
            GetStatistics(
                FakeCounts(),
                FakeCounts(),
                outbox,
                operations,
                Statistics(),
                lambda: PoolUsage(0, 0, 1),
                clock,
            ),
            asyncio.Event(),
        ),
    )


def life_of(store: FakeStore) -> LifeUseCases:
    changes, embedder, clock = FakeChanges(store), FakeEmbedder(), FakeClock()
    stream, draining = FakeEventStream(), asyncio.Event()
    update = UpdateMemory(store, changes, embedder, clock)
    history = FakeHistory()
    delete = DeleteMemory(store, changes, history, clock)
    return LifeUseCases(
        update=update,
        delete=delete,
        update_batch=BatchUpdateMemories(update, changes, embedder, clock),
        delete_batch=BatchDeleteMemories(delete, changes, clock),
        restore=RestoreMemory(store, history, changes, embedder, clock),
        events=ListMemoryEvents(history),
        watch=WatchMemoryEvents(
            stream, EventTails(stream, FakeNotifications(), draining), draining
        ),
    )


def graph_of(store: FakeStore, clock: FakeClock) -> GraphUseCases:
    graph, caught_up = FakeGraph(), CaughtUp(FakeOutbox())
    visible, past = VisibleRelations(store, clock), PastGraph(FakeHistory(), FakeSplits())
    return GraphUseCases(
        list_relations=ListRelations(graph, caught_up, visible, past, clock),
        get_entity=GetEntity(graph, caught_up, visible, past, clock),
        list_entities=ListEntities(graph, caught_up, visible),
        find_paths=FindPaths(graph, caught_up, visible, clock),
    )


def promised(service: ServiceDescriptor) -> set[str]:
    return {f"{service.full_name}/{method.name}" for method in service.methods}


def test_every_service_of_the_protos_is_served() -> None:
    written = {s.full_name for file in FILES for s in file.DESCRIPTOR.services_by_name.values()}
    served = {service.full_name for service in CONTRACT}
    assert served == written | {"google.longrunning.Operations"}


@pytest.mark.parametrize("service", CONTRACT, ids=lambda service: str(service.name))
def test_every_method_is_done(service: ServiceDescriptor, servicers: Servicers) -> None:
    assert implemented_methods(service, servicer_of(service, servicers)) == promised(service)


def test_servicers_do_nothing_that_is_not_promised(servicers: Servicers) -> None:
    for service in CONTRACT:
        servicer = servicer_of(service, servicers)
        public = {name for name in dir(servicer) if not name.startswith("_")}
        assert public <= {method.name for method in service.methods}


def test_the_operations_are_those_of_google() -> None:
    pool = Default()
    operations = pool.FindServiceByName("google.longrunning.Operations")
    assert len(operations.methods) == 5
