"""memoir.v1.GraphService."""

from __future__ import annotations

from memoir.v1 import graph_service_pb2

from server.application.list_relations import ListRelations
from server.transport.convert.memories import relation_message
from server.transport.convert.requests import relations_command
from server.transport.convert.tokens import relation_page_token
from server.transport.current_caller import current_caller


class GraphService:
    """Asking who relates to what. Methods are named as in the contract."""

    def __init__(self, list_relations: ListRelations) -> None:
        self._list_relations = list_relations

    async def ListRelations(  # noqa: N802 - the contract's name
        self, request: graph_service_pb2.ListRelationsRequest, _context: object
    ) -> graph_service_pb2.ListRelationsResponse:
        """See the contract."""
        page = await self._list_relations(relations_command(request, current_caller().project_id))
        return graph_service_pb2.ListRelationsResponse(
            relations=map(relation_message, page.relations),
            next_page_token=relation_page_token(request, page.next),
        )
