"""The calls of GraphService. Each function returns one; those for lists, the call of a page."""

from __future__ import annotations

from collections.abc import Mapping

from memoir.call import Call, Page, make_call
from memoir.graph import Entity, EntityNeighborhood, Relation
from memoir.v1 import graph_service_pb2

_GRAPH = "/memoir.v1.GraphService/"


def relations(page_token: str, options: Mapping[str, object]) -> Call[Page[Relation]]:
    return make_call(
        _GRAPH + "ListRelations",
        graph_service_pb2.ListRelationsRequest,
        graph_service_pb2.ListRelationsResponse,
        lambda r: Page([Relation.from_proto(item) for item in r.relations], r.next_page_token),
        {**options, "page_token": page_token},
    )


def entity(name: str, options: Mapping[str, object]) -> Call[EntityNeighborhood]:
    return make_call(
        _GRAPH + "GetEntity",
        graph_service_pb2.GetEntityRequest,
        graph_service_pb2.GetEntityResponse,
        EntityNeighborhood.from_proto,
        {"name": name, **options},
    )


def entities(page_token: str, options: Mapping[str, object]) -> Call[Page[Entity]]:
    return make_call(
        _GRAPH + "ListEntities",
        graph_service_pb2.ListEntitiesRequest,
        graph_service_pb2.ListEntitiesResponse,
        lambda r: Page([Entity.from_proto(item) for item in r.entities], r.next_page_token),
        {**options, "page_token": page_token},
    )


def paths(
    source: str, target: str, options: Mapping[str, object]
) -> Call[tuple[tuple[Relation, ...], ...]]:
    return make_call(
        _GRAPH + "FindPaths",
        graph_service_pb2.FindPathsRequest,
        graph_service_pb2.FindPathsResponse,
        lambda response: tuple(
            tuple(Relation.from_proto(relation) for relation in path.relations)
            for path in response.paths
        ),
        {"source": source, "target": target, **options},
    )
