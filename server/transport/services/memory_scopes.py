"""The methods of memoir.v1.MemoryService that are about whole scopes."""

from __future__ import annotations

from dataclasses import dataclass, replace

from memoir.v1 import memory_service_pb2

from server.application.delete_memories import DeleteMemories
from server.application.delete_scope import DeleteScope
from server.application.list_scopes import ListScopes
from server.transport.answers import fitting_page
from server.transport.convert.scopes import (
    delete_memories_command,
    delete_scope_command,
    list_scopes_command,
    receipt_message,
    scope_message,
)
from server.transport.convert.tokens import consistency_token, scope_page_token
from server.transport.current_caller import current_caller


@dataclass(frozen=True, slots=True)
class ScopeUseCases:
    """What these methods run."""

    delete_memories: DeleteMemories
    list: ListScopes
    delete: DeleteScope


class MemoryScopes:
    """Listing and deleting scopes. Methods are named as in the contract."""

    def __init__(self, scopes: ScopeUseCases) -> None:
        self._scopes = scopes

    async def DeleteMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.DeleteMemoriesRequest, _context: object
    ) -> memory_service_pb2.DeleteMemoriesResponse:
        """See the contract."""
        command = delete_memories_command(request, current_caller().project_id)
        deletion = await self._scopes.delete_memories(command)
        return memory_service_pb2.DeleteMemoriesResponse(
            receipt=receipt_message(deletion.receipt),
            consistency_token=(
                "" if command.validate_only else consistency_token(deletion.position)
            ),
        )

    async def ListScopes(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.ListScopesRequest, _context: object
    ) -> memory_service_pb2.ListScopesResponse:
        """See the contract."""
        command = list_scopes_command(request, current_caller().project_id)

        async def page(size: int) -> memory_service_pb2.ListScopesResponse:
            found = await self._scopes.list(replace(command, page_size=size))
            end = (found.next.kind, found.next.id) if found.next else None
            return memory_service_pb2.ListScopesResponse(
                scopes=map(scope_message, found.scopes),
                next_page_token=scope_page_token(request, end),
            )

        return await fitting_page(page, command.page_size, "scopes")

    async def DeleteScope(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.DeleteScopeRequest, _context: object
    ) -> memory_service_pb2.DeleteScopeResponse:
        """See the contract."""
        command = delete_scope_command(request, current_caller().project_id)
        deletion = await self._scopes.delete(command)
        return memory_service_pb2.DeleteScopeResponse(
            receipt=receipt_message(deletion.receipt),
            consistency_token=consistency_token(deletion.position),
        )
