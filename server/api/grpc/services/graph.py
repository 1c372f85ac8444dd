"""memoir.v1.GraphService."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memoir.v1 import graph_service_pb2

from server.api.grpc.convert.graph import (
    entities_command,
    entity_command,
    entity_message,
    neighbourhood_message,
    paths_command,
    paths_message,
    relations_command,
)
from server.api.grpc.convert.memories import relation_message
from server.api.grpc.convert.tokens import fitting_page, page_token
from server.api.grpc.interceptors.access import current_caller
from server.api.grpc.tokens import Tokens
from server.graph.explore.entities import GetEntity, ListEntities
from server.graph.explore.relations import FindPaths, ListRelations


@dataclass(frozen=True, slots=True)
class GraphUseCases:
    """The use cases of the service."""

    list_relations: ListRelations
    get_entity: GetEntity
    list_entities: ListEntities
    find_paths: FindPaths


class GraphService:
    """Serves `GraphService`. Its methods have the names in the contract."""

    def __init__(self, use_cases: GraphUseCases, tokens: Tokens) -> None:
        self._use_cases = use_cases
        self._tokens = tokens

    async def ListRelations(  # noqa: N802 - the contract's name
        self, request: graph_service_pb2.ListRelationsRequest, _context: object
    ) -> graph_service_pb2.ListRelationsResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = relations_command(request, project_id, tokens)

        async def page(size: int) -> graph_service_pb2.ListRelationsResponse:
            found = await self._use_cases.list_relations(replace(command, page_size=size))
            return graph_service_pb2.ListRelationsResponse(
                relations=map(relation_message, found.items),
                next_page_token=page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "relations")

    async def GetEntity(  # noqa: N802 - the contract's name
        self, request: graph_service_pb2.GetEntityRequest, _context: object
    ) -> graph_service_pb2.GetEntityResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = entity_command(request, project_id, tokens)
        return neighbourhood_message(await self._use_cases.get_entity(command))

    async def ListEntities(  # noqa: N802 - the contract's name
        self, request: graph_service_pb2.ListEntitiesRequest, _context: object
    ) -> graph_service_pb2.ListEntitiesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = entities_command(request, project_id, tokens)

        async def page(size: int) -> graph_service_pb2.ListEntitiesResponse:
            found = await self._use_cases.list_entities(replace(command, page_size=size))
            return graph_service_pb2.ListEntitiesResponse(
                entities=map(entity_message, found.items),
                next_page_token=page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "entities")

    async def FindPaths(  # noqa: N802 - the contract's name
        self, request: graph_service_pb2.FindPathsRequest, _context: object
    ) -> graph_service_pb2.FindPathsResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = paths_command(request, project_id, tokens)
        return paths_message(await self._use_cases.find_paths(command))
