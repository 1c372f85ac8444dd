"""What the page may call: methods that only read. Nothing else passes the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from google.protobuf.message import Message
from memoir.v1 import graph_service_pb2 as graph
from memoir.v1 import memory_service_pb2 as memory
from memoir.v1 import statistics_service_pb2 as statistics


@dataclass(frozen=True, slots=True)
class Method:
    """The messages of a unary method."""

    request: type[Message]
    response: type[Message]


METHODS: Mapping[str, Method] = {
    "MemoryService/SearchMemories": Method(
        memory.SearchMemoriesRequest, memory.SearchMemoriesResponse
    ),
    "MemoryService/GetMemory": Method(memory.GetMemoryRequest, memory.GetMemoryResponse),
    "MemoryService/ListMemoryEvents": Method(
        memory.ListMemoryEventsRequest, memory.ListMemoryEventsResponse
    ),
    "MemoryService/ListScopes": Method(memory.ListScopesRequest, memory.ListScopesResponse),
    "GraphService/ListEntities": Method(graph.ListEntitiesRequest, graph.ListEntitiesResponse),
    "GraphService/ListRelations": Method(graph.ListRelationsRequest, graph.ListRelationsResponse),
    "GraphService/GetEntity": Method(graph.GetEntityRequest, graph.GetEntityResponse),
    "StatisticsService/GetStatistics": Method(
        statistics.GetStatisticsRequest, statistics.GetStatisticsResponse
    ),
}
