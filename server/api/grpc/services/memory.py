"""memoir.v1.MemoryService."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from uuid import UUID

from memoir.v1 import memory_service_pb2

from server.api.grpc.convert.memories import add_response, memory_message, search_response
from server.api.grpc.convert.operations import operation_message
from server.api.grpc.convert.requests import (
    add_command,
    add_payload,
    instant,
    list_command,
    search_command,
)
from server.api.grpc.convert.tokens import Tokens, fitting_page, page_token
from server.api.grpc.interceptors.access import current_caller
from server.api.grpc.services.memory_changes import ChangeUseCases, MemoryChanges
from server.core.background import in_thread_if_many
from server.memories.add.add_memories import Add
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

    add: Add
    search: SearchMemories
    get: GetMemory
    list: ListMemories
    changes: ChangeUseCases
    submit: SubmitAdd


class MemoryService(MemoryChanges):
    """Adds, finds and reads memories. Its methods are those of the contract."""

    def __init__(self, use_cases: MemoryUseCases, tokens: Tokens) -> None:
        super().__init__(use_cases.changes, tokens)
        self._use_cases = use_cases

    async def AddMemories(
        self, request: memory_service_pb2.AddMemoriesRequest, context: AddContext
    ) -> memory_service_pb2.AddMemoriesResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = await in_thread_if_many(
            len(request.messages), add_command, request, tokens.project_id
        )
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
        return await in_thread_if_many(
            len(outcome.changes), add_response, outcome, tokens, with_relations=with_relations
        )

    async def SearchMemories(
        self, request: memory_service_pb2.SearchMemoriesRequest, _context: object
    ) -> memory_service_pb2.SearchMemoriesResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        outcome = await self._use_cases.search(search_command(request, tokens))
        return search_response(request, outcome, tokens)

    async def GetMemory(
        self, request: memory_service_pb2.GetMemoryRequest, _context: object
    ) -> memory_service_pb2.GetMemoryResponse:
        caller = current_caller()
        memory = await self._use_cases.get(
            caller.project_id,
            UUID(request.id),
            within=caller.scope,
            show_expired=request.show_expired,
            as_of=instant(request, "as_of"),
        )
        return memory_service_pb2.GetMemoryResponse(memory=memory_message(memory))

    async def ListMemories(
        self, request: memory_service_pb2.ListMemoriesRequest, _context: object
    ) -> memory_service_pb2.ListMemoriesResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = list_command(request, tokens)

        async def page(size: int) -> memory_service_pb2.ListMemoriesResponse:
            found = await self._use_cases.list(replace(command, page_size=size))
            response = memory_service_pb2.ListMemoriesResponse(
                next_page_token=page_token(tokens, request, found.next)
            )
            messages = map(memory_message, found.items)
            await in_thread_if_many(len(found.items), response.memories.extend, messages)
            return response

        return await fitting_page(page, command.page_size, "memories")
