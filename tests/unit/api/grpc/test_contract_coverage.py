"""Every method of the contract is implemented, and no other."""

from __future__ import annotations

import asyncio

import pytest
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pool import Default
from memoir.v1 import (
    audit_service_pb2,
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

from server.api.grpc.health import HealthService
from server.api.grpc.server import CONTRACT, Servicers, servicer_of
from server.api.grpc.services.graph import GraphService, GraphUseCases
from server.api.grpc.services.memory import MemoryService, MemoryUseCases
from server.api.grpc.services.memory_changes import ChangeUseCases
from server.api.grpc.services.operations import OperationsService
from server.api.grpc.services.project import AuditService, ProjectService, StatisticsService
from server.graph.explore.access import VisibleGraph
from server.graph.explore.explore_graph import FindPaths, GetEntity, ListEntities, ListRelations
from server.memories.add.add_memories import AddMemories
from server.memories.add.verbatim import AddVerbatim
from server.memories.change.batches import BatchDeleteMemories, BatchUpdateMemories
from server.memories.change.deletion import DeleteMemory, RestoreMemory
from server.memories.change.scopes import DeleteMemories, DeleteScope, ListScopes
from server.memories.change.update_memory import UpdateMemory
from server.memories.history.events import ListMemoryEvents, WatchMemoryEvents
from server.memories.history.tails import EventTails
from server.memories.search.arms import GraphArm, RerankArm
from server.memories.search.read_memories import GetMemory, ListMemories
from server.memories.search.search_memories import SearchMemories
from server.operations.manage_operations import ManageOperations, SubmitAdd
from server.projects.administration import ListAuditEvents
from server.projects.manage_project import GetProject, UpdateProject
from server.projects.ports import PoolUsage
from server.projects.statistics import GetStatistics
from server.telemetry.statistics import Statistics
from tests.support.fake_graph import FakeGraph
from tests.support.fake_operations import FakeNotifications, FakeOperations
from tests.support.fake_outbox import FakeOutbox
from tests.support.fake_store import FakeStore
from tests.support.fakes import (
    FakeClock,
    FakeEmbedder,
    FakeProjectStore,
    FakeReranker,
)
from tests.support.tokens import TOKENS

FILES = (
    audit_service_pb2,
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)


@pytest.fixture(scope="module")
def servicers() -> Servicers:
    store, embedder, clock = FakeStore(), FakeEmbedder(), FakeClock()
    verbatim = AddVerbatim(store, embedder, clock)
    use_cases = MemoryUseCases(
        add=AddMemories(store, verbatim, verbatim),
        submit=SubmitAdd(FakeOperations(), store, clock, lambda: None),
        search=SearchMemories(
            store,
            embedder,
            clock,
            GraphArm(store, clock),
            RerankArm(FakeReranker(), 1.0),
        ),
        get=GetMemory(store, clock),
        list=ListMemories(store, clock),
        changes=change_use_cases(store),
    )
    operations, outbox = FakeOperations(), FakeOutbox()
    graph = GraphService(graph_of(store, clock), TOKENS)
    projects = FakeProjectStore()
    project = ProjectService(GetProject(projects), UpdateProject(projects, clock))
    return Servicers(
        MemoryService(use_cases, TOKENS),
        graph,
        project,
        HealthService(),
        OperationsService(ManageOperations(operations, store, FakeNotifications()), TOKENS),
        StatisticsService(
            GetStatistics(
                projects,
                FakeGraph(),
                outbox,
                operations,
                Statistics(),
                lambda: PoolUsage(0, 0, 1),
                clock,
            ),
            asyncio.Event(),
        ),
        AuditService(ListAuditEvents(projects), TOKENS),
    )


def change_use_cases(store: FakeStore) -> ChangeUseCases:
    embedder, clock, draining = FakeEmbedder(), FakeClock(), asyncio.Event()
    update = UpdateMemory(store, embedder, clock)
    delete = DeleteMemory(store, clock)
    return ChangeUseCases(
        update=update,
        delete=delete,
        update_batch=BatchUpdateMemories(update, store, embedder, clock),
        delete_batch=BatchDeleteMemories(delete, store, clock),
        restore=RestoreMemory(store, embedder, clock),
        delete_memories=DeleteMemories(store, clock),
        delete_scope=DeleteScope(store, clock),
        list_scopes=ListScopes(store, clock),
        events=ListMemoryEvents(store),
        watch=WatchMemoryEvents(store, EventTails(store, FakeNotifications(), draining), draining),
    )


def graph_of(store: FakeStore, clock: FakeClock) -> GraphUseCases:
    graph = VisibleGraph(FakeGraph(), FakeOutbox(), store, clock)
    return GraphUseCases(
        list_relations=ListRelations(graph),
        get_entity=GetEntity(graph),
        list_entities=ListEntities(graph),
        find_paths=FindPaths(graph),
    )


def test_every_service_of_the_protos_is_served() -> None:
    written = {s.full_name for file in FILES for s in file.DESCRIPTOR.services_by_name.values()}
    served = {service.full_name for service in CONTRACT}
    assert served == written | {"google.longrunning.Operations"}


@pytest.mark.parametrize("service", CONTRACT, ids=lambda service: str(service.name))
def test_every_method_is_implemented(service: ServiceDescriptor, servicers: Servicers) -> None:
    servicer = servicer_of(service, servicers)
    assert [method.name for method in service.methods if not hasattr(servicer, method.name)] == []


def test_servicers_have_no_methods_outside_the_contract(servicers: Servicers) -> None:
    for service in CONTRACT:
        servicer = servicer_of(service, servicers)
        public = {name for name in dir(servicer) if not name.startswith("_")}
        assert public <= {method.name for method in service.methods}


def test_operations_are_served_by_the_google_longrunning_service() -> None:
    pool = Default()
    operations = pool.FindServiceByName("google.longrunning.Operations")
    assert len(operations.methods) == 5
