"""Converts requests of the graph to commands, and their results to protobuf messages."""

from __future__ import annotations

from collections.abc import Sequence

from memoir.v1 import graph_service_pb2
from pydantic import TypeAdapter

from server.api.grpc.convert.memories import relation_message
from server.api.grpc.convert.requests import DEFAULT_PAGE_SIZE, scope_of
from server.api.grpc.convert.tokens import (
    fits,
    fitting_count,
    read_consistency_token,
    read_page_token,
)
from server.api.grpc.convert.values import from_timestamp
from server.api.grpc.tokens import ProjectTokens
from server.core.values import MAX_ITEMS_BYTES
from server.graph.explore.entities import GetEntityCommand, ListEntitiesCommand, Neighbourhood
from server.graph.explore.relations import FindPathsCommand, ListRelationsCommand
from server.graph.model import EntityCursor, KnownEntity, RelationCursor, StatedRelation
from server.memories.conversation import without_nul

_RELATION_CURSORS = TypeAdapter(RelationCursor)
_ENTITY_CURSORS = TypeAdapter(EntityCursor)
DEFAULT_DEPTH = 1
DEFAULT_MAX_LENGTH = 4
DEFAULT_PATHS = 5


def relations_command(
    request: graph_service_pb2.ListRelationsRequest, project_id: str, tokens: ProjectTokens
) -> ListRelationsCommand:
    """ListRelations.

    Raises:
        InvalidRequest: the page token or the consistency token is invalid.
    """
    return ListRelationsCommand(
        project_id=project_id,
        scope=scope_of(request),
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
        entity=without_nul(request.entity) if request.HasField("entity") else None,
        relation=without_nul(request.relation) if request.HasField("relation") else None,
        after=read_page_token(tokens, request, request.page_token, _RELATION_CURSORS),
        position=read_consistency_token(tokens, request.consistency_token),
        include_superseded=request.include_superseded,
        as_of=from_timestamp(request.as_of) if request.HasField("as_of") else None,
    )


def entity_command(
    request: graph_service_pb2.GetEntityRequest, project_id: str, tokens: ProjectTokens
) -> GetEntityCommand:
    """GetEntity.

    Raises:
        InvalidRequest: the consistency token is invalid.
    """
    return GetEntityCommand(
        project_id=project_id,
        scope=scope_of(request),
        name=without_nul(request.name),
        depth=request.depth or DEFAULT_DEPTH,
        position=read_consistency_token(tokens, request.consistency_token),
        include_superseded=request.include_superseded,
        as_of=from_timestamp(request.as_of) if request.HasField("as_of") else None,
    )


def entities_command(
    request: graph_service_pb2.ListEntitiesRequest, project_id: str, tokens: ProjectTokens
) -> ListEntitiesCommand:
    """ListEntities.

    Raises:
        InvalidRequest: the page token or the consistency token is invalid.
    """
    return ListEntitiesCommand(
        project_id=project_id,
        scope=scope_of(request),
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
        query=without_nul(request.query) if request.HasField("query") else None,
        after=read_page_token(tokens, request, request.page_token, _ENTITY_CURSORS),
        position=read_consistency_token(tokens, request.consistency_token),
    )


def paths_command(
    request: graph_service_pb2.FindPathsRequest, project_id: str, tokens: ProjectTokens
) -> FindPathsCommand:
    """FindPaths.

    Raises:
        InvalidRequest: the consistency token is invalid.
    """
    return FindPathsCommand(
        project_id=project_id,
        scope=scope_of(request),
        source=without_nul(request.source),
        target=without_nul(request.target),
        max_length=request.max_length or DEFAULT_MAX_LENGTH,
        limit=request.limit or DEFAULT_PATHS,
        position=read_consistency_token(tokens, request.consistency_token),
    )


def entity_message(known: KnownEntity) -> graph_service_pb2.Entity:
    """Returns an entity as clients see it."""
    return graph_service_pb2.Entity(
        name=known.entity.name,
        type=known.entity.type,
        memory_count=known.memory_count,
        aliases=known.entity.aliases,
        space=known.ref.space,
    )


def neighbourhood_message(around: Neighbourhood) -> graph_service_pb2.GetEntityResponse:
    """Returns an entity with its neighbourhood; only the nearest part if not all fits."""
    response = graph_service_pb2.GetEntityResponse(
        entity=entity_message(around.entity),
        neighbors=map(entity_message, around.neighbors),
        relations=map(relation_message, around.relations),
        truncated=around.truncated,
    )
    if not fits(response):
        budget = (MAX_ITEMS_BYTES - response.entity.ByteSize()) // 2
        del response.neighbors[fitting_count(response.neighbors, budget) :]
        del response.relations[fitting_count(response.relations, budget) :]
        response.truncated = True
    return response


def paths_message(
    paths: Sequence[Sequence[StatedRelation]],
) -> graph_service_pb2.FindPathsResponse:
    """Returns paths as a protobuf message."""
    return graph_service_pb2.FindPathsResponse(
        paths=[
            graph_service_pb2.FindPathsResponse.Path(relations=map(relation_message, path))
            for path in paths
        ]
    )
