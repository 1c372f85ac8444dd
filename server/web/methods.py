"""What the page may call: methods that only read. Nothing else passes the gateway."""

from __future__ import annotations

from collections.abc import Mapping

from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from memoir.v1 import graph_service_pb2, memory_service_pb2, statistics_service_pb2


def _methods(file: FileDescriptor, service: str, *names: str) -> dict[str, MethodDescriptor]:
    described = file.services_by_name[service].methods_by_name
    return {f"{service}/{name}": described[name] for name in names}


METHODS: Mapping[str, MethodDescriptor] = {
    **_methods(
        memory_service_pb2.DESCRIPTOR,
        "MemoryService",
        "SearchMemories",
        "GetMemory",
        "ListMemoryEvents",
        "ListScopes",
    ),
    **_methods(
        graph_service_pb2.DESCRIPTOR,
        "GraphService",
        "ListEntities",
        "ListRelations",
        "GetEntity",
    ),
    **_methods(statistics_service_pb2.DESCRIPTOR, "StatisticsService", "GetStatistics"),
}
