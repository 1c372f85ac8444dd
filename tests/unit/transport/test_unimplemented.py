"""The list of what is not offered is exact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from google.longrunning import operations_proto_pb2
from google.protobuf import descriptor_pool
from google.protobuf.timestamp_pb2 import Timestamp
from memoir.v1 import (
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

from server.domain.errors import Unimplemented
from server.transport.unimplemented import (
    UNIMPLEMENTED_FIELDS,
    UNIMPLEMENTED_METHODS,
    refuse_unimplemented,
)

CONTRACT = {
    f"{service.full_name}/{method.name}"
    for module in (
        memory_service_pb2,
        graph_service_pb2,
        project_service_pb2,
        statistics_service_pb2,
        operations_proto_pb2,
    )
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
}
OFFERED = {
    "memoir.v1.MemoryService/AddMemories",
    "memoir.v1.MemoryService/SearchMemories",
    "memoir.v1.MemoryService/GetMemory",
    "memoir.v1.MemoryService/ListMemories",
    "memoir.v1.MemoryService/UpdateMemory",
    "memoir.v1.MemoryService/DeleteMemory",
    "memoir.v1.MemoryService/BatchUpdateMemories",
    "memoir.v1.MemoryService/BatchDeleteMemories",
    "memoir.v1.MemoryService/DeleteMemories",
    "memoir.v1.MemoryService/ListMemoryEvents",
    "memoir.v1.MemoryService/WatchMemoryEvents",
    "memoir.v1.MemoryService/ListScopes",
    "memoir.v1.MemoryService/DeleteScope",
    "memoir.v1.ProjectService/GetProject",
    "memoir.v1.ProjectService/UpdateProject",
    "memoir.v1.GraphService/ListRelations",
    "memoir.v1.GraphService/GetEntity",
    "memoir.v1.GraphService/ListEntities",
    "memoir.v1.GraphService/FindPaths",
    "memoir.v1.StatisticsService/GetStatistics",
    "memoir.v1.StatisticsService/WatchStatistics",
    "google.longrunning.Operations/ListOperations",
    "google.longrunning.Operations/GetOperation",
    "google.longrunning.Operations/DeleteOperation",
    "google.longrunning.Operations/CancelOperation",
    "google.longrunning.Operations/WaitOperation",
}


def misfiled(served: Iterable[str]) -> set[str]:
    """Methods that are neither served nor listed, or both, or in no contract."""
    return CONTRACT ^ (set(served) ^ UNIMPLEMENTED_METHODS)


def test_every_method_is_either_offered_or_listed() -> None:
    assert misfiled(OFFERED) == set()


def test_listed_fields_exist_and_belong_to_offered_methods() -> None:
    pool: Any = descriptor_pool.Default()
    inputs = {
        pool.FindServiceByName(service).FindMethodByName(name).input_type.full_name
        for service, name in (method.split("/") for method in OFFERED)
    }
    for kind, fields in UNIMPLEMENTED_FIELDS.items():
        assert kind.DESCRIPTOR.full_name in inputs
        assert fields <= set(kind.DESCRIPTOR.fields_by_name)


@pytest.mark.parametrize(
    ("request_", "field"),
    [],
)
def test_listed_options_are_refused(request_: Any, field: str) -> None:
    with pytest.raises(Unimplemented) as raised:
        refuse_unimplemented("S/M", request_)
    assert raised.value.metadata == {"method": "S/M", "field": field}


@pytest.mark.parametrize(
    "request_",
    [
        memory_service_pb2.AddMemoriesRequest(async_mode=True, user_id="u"),
        graph_service_pb2.GetEntityRequest(as_of=Timestamp()),
        memory_service_pb2.SearchMemoriesRequest(rerank=True, query="q"),
        memory_service_pb2.DeleteMemoryRequest(id="x", request_id="y"),
    ],
)
def test_what_is_offered_passes(request_: Any) -> None:
    refuse_unimplemented("memoir.v1.MemoryService/AddMemories", request_)
