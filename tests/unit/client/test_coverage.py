"""Both clients cover every RPC of the contract equally."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import memoir
import pytest
from google.longrunning import operations_proto_pb2
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from memoir import graph_calls, memory_calls, operation_calls, options, project_calls
from memoir.v1 import (
    audit_service_pb2,
    graph_service_pb2,
    memory_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
)

MODULES = (graph_calls, memory_calls, operation_calls, project_calls)
CONTRACT = (
    audit_service_pb2,
    graph_service_pb2,
    memory_service_pb2,
    project_service_pb2,
    statistics_service_pb2,
    operations_proto_pb2,
)
# Fields that callers set in another way, or not at all.
NOT_OPTIONS = {
    "AddMemoriesRequest": {"async_mode", "output_format"},
}
# Fields with another name for callers.
RENAMED = {"erasure_mode": "erase"}


def methods() -> Iterator[MethodDescriptor]:
    for file in CONTRACT:
        for service in file.DESCRIPTOR.services_by_name.values():
            yield from service.methods


def public(kind: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(member)
        for name, member in inspect.getmembers(kind, inspect.isfunction)
        if not name.startswith("_")
    }


@pytest.mark.parametrize("method", list(methods()), ids=lambda method: method.name)
def test_every_rpc_is_called(method: MethodDescriptor) -> None:
    source = "\n".join(Path(inspect.getfile(module)).read_text() for module in MODULES)
    assert re.search(rf'\+ "{method.name}"', source)


def test_both_clients_have_equal_methods_and_parameters() -> None:
    for sync, other in (
        (memoir.Client, memoir.AsyncClient),
        (memoir.Operation, memoir.AsyncOperation),
    ):
        first, second = public(sync), public(other)
        assert first.keys() == second.keys()
        for name, signature in first.items():
            assert list(signature.parameters) == list(second[name].parameters), name


@pytest.mark.parametrize(
    ("request_type", "known", "by_position"),
    [
        (memory_service_pb2.AddMemoriesRequest, options.AddOptions, {"messages"}),
        (memory_service_pb2.SearchMemoriesRequest, options.SearchOptions, {"query"}),
        (memory_service_pb2.GetMemoryRequest, options.ReadOptions, {"id"}),
        (memory_service_pb2.ListMemoriesRequest, options.ListOptions, {"page_token"}),
        (memory_service_pb2.DeleteMemoryRequest, options.DeleteOptions, {"id"}),
        (memory_service_pb2.RestoreMemoryRequest, options.RestoreOptions, {"id", "version"}),
        (memory_service_pb2.DeleteMemoriesRequest, options.DeleteManyOptions, set()),
        (memory_service_pb2.WatchMemoryEventsRequest, options.WatchOptions, set()),
        (graph_service_pb2.ListRelationsRequest, options.RelationOptions, {"page_token"}),
        (graph_service_pb2.GetEntityRequest, options.EntityOptions, {"name"}),
        (graph_service_pb2.ListEntitiesRequest, options.EntitiesOptions, {"page_token"}),
        (graph_service_pb2.FindPathsRequest, options.PathOptions, {"source", "target"}),
    ],
)
def test_every_field_of_a_request_is_an_option(
    request_type: type[Message], known: type, by_position: set[str]
) -> None:
    fields = {RENAMED.get(field.name, field.name) for field in request_type.DESCRIPTOR.fields}
    told_otherwise = by_position | NOT_OPTIONS.get(request_type.__name__, set())
    assert set(known.__annotations__) - {"timeout"} == fields - told_otherwise


@pytest.mark.parametrize(
    ("known", "message_type"),
    [
        (memoir.Memory, memory_pb2.Memory),
        (memoir.Provenance, memory_pb2.Provenance),
        (memoir.Evidence, memory_pb2.Evidence),
        (memoir.Relation, memory_pb2.Relation),
        (memoir.Entity, graph_service_pb2.Entity),
        (memoir.EntityNeighborhood, graph_service_pb2.GetEntityResponse),
        (memoir.Notice, memory_service_pb2.Notice),
        (memoir.RelationChange, memory_service_pb2.AddMemoriesRelation),
        (memoir.ArmScore, memory_service_pb2.ArmScore),
        (memoir.DegradedArm, memory_service_pb2.DegradedArm),
        (memoir.Passage, memory_service_pb2.Passage),
        (memoir.Receipt, memory_service_pb2.DeletionReceipt),
        (memoir.ScopeSummary, memory_service_pb2.ListScopesResponse.ScopeSummary),
        (memoir.Project, project_service_pb2.Project),
    ],
)
def test_a_result_has_every_field_of_its_message(known: type, message_type: type[Message]) -> None:
    fields = {field.name for field in message_type.DESCRIPTOR.fields}
    assert {field.name for field in dataclasses.fields(known)} == fields
