"""memoir.v1.MemoryService."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from memoir.v1 import memory_service_pb2

from server.api.grpc.convert.memories import add_response, memory_message, search_response
from server.api.grpc.convert.operations import operation_message
from server.api.grpc.convert.requests import add_command, add_payload, list_command, search_command
from server.api.grpc.convert.tokens import fitting_page, page_token
from server.api.grpc.convert.values import from_timestamp
from server.api.grpc.interceptors.access import current_caller
from server.api.grpc.services.memory_changes import (
    MemoryMutations,
    MemoryScopes,
    MutationUseCases,
    ScopeUseCases,
)
from server.api.grpc.tokens import Tokens
from server.core.background import by_size
from server.memories.add.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.memories.search.read_memories import GetMemory, ListMemories
from server.memories.search.search_memories import SearchMemories
from server.operations.manage_operations import SubmitAdd

if TYPE_CHECKING:
    from grpc.aio import ServicerContext

    AddContext = ServicerContext[
        memory_service_pb2.AddMemoriesRequest, memory_service_pb2.AddMemoriesResponse
    ]

DEPRECATION_KEY = "memoir-deprecation"


@dataclass(frozen=True, slots=True)
class MemoryUseCases:
    """The use cases of the service."""

    add: Callable[[AddMemoriesCommand], Awaitable[AddMemoriesOutcome]]
    search: SearchMemories
    get: GetMemory
    list: ListMemories
    mutations: MutationUseCases
    scopes: ScopeUseCases
    submit: SubmitAdd


class MemoryService(MemoryMutations, MemoryScopes):
    """Adding, finding and reading memories. Methods are named as in the contract."""

    def __init__(self, use_cases: MemoryUseCases, tokens: Tokens) -> None:
        MemoryMutations.__init__(self, use_cases.mutations, tokens)
        MemoryScopes.__init__(self, use_cases.scopes, tokens)
        self._use_cases = use_cases
        self._tokens = tokens

    async def AddMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.AddMemoriesRequest, context: AddContext
    ) -> memory_service_pb2.AddMemoriesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = await by_size(len(request.messages), add_command, request, project_id)
        if request.async_mode:
            view = await self._use_cases.submit(
                command, add_payload(request), request.output_format
            )
            return memory_service_pb2.AddMemoriesResponse(operation=operation_message(view, tokens))
        outcome = await self._use_cases.add(command)
        with_relations = request.output_format == "v1.1"
        if not with_relations:
            context.set_trailing_metadata(
                ((DEPRECATION_KEY, "output_format v1.0 is deprecated; use v1.1"),)
            )
        return await by_size(
            len(outcome.changes), add_response, outcome, tokens, with_relations=with_relations
        )

    async def SearchMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.SearchMemoriesRequest, _context: object
    ) -> memory_service_pb2.SearchMemoriesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        outcome = await self._use_cases.search(search_command(request, project_id, tokens))
        return search_response(request, outcome, tokens)

    async def GetMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.GetMemoryRequest, _context: object
    ) -> memory_service_pb2.GetMemoryResponse:
        """See the contract."""
        caller = current_caller()
        memory = await self._use_cases.get(
            caller.project_id,
            UUID(request.id),
            within=caller.scope,
            show_expired=request.show_expired,
            as_of=from_timestamp(request.as_of) if request.HasField("as_of") else None,
        )
        return memory_service_pb2.GetMemoryResponse(memory=memory_message(memory))

    async def ListMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.ListMemoriesRequest, _context: object
    ) -> memory_service_pb2.ListMemoriesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = list_command(request, project_id, tokens)

        async def page(size: int) -> memory_service_pb2.ListMemoriesResponse:
            found = await self._use_cases.list(replace(command, page_size=size))
            response = memory_service_pb2.ListMemoriesResponse(
                next_page_token=page_token(tokens, request, found.next)
            )
            messages = map(memory_message, found.items)
            await by_size(len(found.items), response.memories.extend, messages)
            return response

        return await fitting_page(page, command.page_size, "memories")
