"""memoir.v1.GraphService, with the conversion of its requests and responses."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memoir.v1 import graph_service_pb2
from pydantic import TypeAdapter

from server.api.grpc.convert.memories import relation_message
from server.api.grpc.convert.requests import DEFAULT_PAGE_SIZE, instant, scope_of
from server.api.grpc.convert.tokens import (
    ProjectTokens,
    Tokens,
    fits,
    fitting_count,
    fitting_page,
    page_token,
    read_consistency_token,
    read_page_token,
)
from server.api.grpc.interceptors.access import current_caller
from server.core.values import MAX_ITEMS_BYTES
from server.graph.explore.explore_graph import (
    FindPaths,
    FindPathsCommand,
    GetEntity,
    GetEntityCommand,
    ListEntities,
    ListEntitiesCommand,
    ListRelations,
    ListRelationsCommand,
    Neighbourhood,
)
from server.graph.model import EntityCursor, KnownEntity, RelationCursor
from server.memories.conversation import without_nul

_RELATION_CURSORS = TypeAdapter(RelationCursor)
_ENTITY_CURSORS = TypeAdapter(EntityCursor)
DEFAULT_DEPTH = 1
DEFAULT_MAX_LENGTH = 4
DEFAULT_PATHS = 5


@dataclass(frozen=True, slots=True)
class GraphUseCases:
    """The use cases of the service."""

    list_relations: ListRelations
    get_entity: GetEntity
    list_entities: ListEntities
    find_paths: FindPaths


class GraphService:
    """Reads the graph. Its methods are those of the contract."""

    def __init__(self, use_cases: GraphUseCases, tokens: Tokens) -> None:
        self._use_cases = use_cases
        self._tokens = tokens

    async def ListRelations(
        self, request: graph_service_pb2.ListRelationsRequest, _context: object
    ) -> graph_service_pb2.ListRelationsResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = relations_command(request, tokens)

        async def page(size: int) -> graph_service_pb2.ListRelationsResponse:
            found = await self._use_cases.list_relations(replace(command, page_size=size))
            return graph_service_pb2.ListRelationsResponse(
                relations=map(relation_message, found.items),
                next_page_token=page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "relations")

    async def GetEntity(
        self, request: graph_service_pb2.GetEntityRequest, _context: object
    ) -> graph_service_pb2.GetEntityResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = GetEntityCommand(
            project_id=tokens.project_id,
            scope=scope_of(request),
            name=without_nul(request.name),
            depth=request.depth or DEFAULT_DEPTH,
            position=read_consistency_token(tokens, request.consistency_token),
            include_superseded=request.include_superseded,
            as_of=instant(request, "as_of"),
        )
        return neighbourhood_message(await self._use_cases.get_entity(command))

    async def ListEntities(
        self, request: graph_service_pb2.ListEntitiesRequest, _context: object
    ) -> graph_service_pb2.ListEntitiesResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = ListEntitiesCommand(
            project_id=tokens.project_id,
            scope=scope_of(request),
            page_size=request.page_size or DEFAULT_PAGE_SIZE,
            query=without_nul(request.query) if request.HasField("query") else None,
            after=read_page_token(tokens, request, request.page_token, _ENTITY_CURSORS),
            position=read_consistency_token(tokens, request.consistency_token),
        )

        async def page(size: int) -> graph_service_pb2.ListEntitiesResponse:
            found = await self._use_cases.list_entities(replace(command, page_size=size))
            return graph_service_pb2.ListEntitiesResponse(
                entities=map(_entity_message, found.items),
                next_page_token=page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "entities")

    async def FindPaths(
        self, request: graph_service_pb2.FindPathsRequest, _context: object
    ) -> graph_service_pb2.FindPathsResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = FindPathsCommand(
            project_id=tokens.project_id,
            scope=scope_of(request),
            source=without_nul(request.source),
            target=without_nul(request.target),
            max_length=request.max_length or DEFAULT_MAX_LENGTH,
            limit=request.limit or DEFAULT_PATHS,
            position=read_consistency_token(tokens, request.consistency_token),
        )
        paths = await self._use_cases.find_paths(command)
        return graph_service_pb2.FindPathsResponse(
            paths=[
                graph_service_pb2.FindPathsResponse.Path(relations=map(relation_message, path))
                for path in paths
            ]
        )


def relations_command(
    request: graph_service_pb2.ListRelationsRequest, tokens: ProjectTokens
) -> ListRelationsCommand:
    """Converts a request for relations.

    Raises:
        InvalidRequest: the page token or the consistency token is invalid.
    """
    return ListRelationsCommand(
        project_id=tokens.project_id,
        scope=scope_of(request),
        page_size=request.page_size or DEFAULT_PAGE_SIZE,
        entity=without_nul(request.entity) if request.HasField("entity") else None,
        relation=without_nul(request.relation) if request.HasField("relation") else None,
        after=read_page_token(tokens, request, request.page_token, _RELATION_CURSORS),
        position=read_consistency_token(tokens, request.consistency_token),
        include_superseded=request.include_superseded,
        as_of=instant(request, "as_of"),
    )


def _entity_message(known: KnownEntity) -> graph_service_pb2.Entity:
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
        entity=_entity_message(around.entity),
        neighbors=map(_entity_message, around.neighbors),
        relations=map(relation_message, around.relations),
        truncated=around.truncated,
    )
    if not fits(response):
        budget = (MAX_ITEMS_BYTES - response.entity.ByteSize()) // 2
        del response.neighbors[fitting_count(response.neighbors, budget) :]
        del response.relations[fitting_count(response.relations, budget) :]
        response.truncated = True
    return response
