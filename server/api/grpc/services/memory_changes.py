"""The methods of memoir.v1.MemoryService that change stored memories or whole scopes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID
from weakref import WeakKeyDictionary

from memoir.v1 import memory_service_pb2
from pydantic import TypeAdapter

from server.api.grpc.convert.changes import (
    KINDS,
    batch_delete_command,
    batch_delete_response,
    batch_update_command,
    batch_update_response,
    delete_command,
    erases,
    receipt_message,
    request_key,
    scope_message,
    update_command,
)
from server.api.grpc.convert.memories import event_message, memory_message
from server.api.grpc.convert.requests import DEFAULT_PAGE_SIZE, filters_of, scope_of
from server.api.grpc.convert.tokens import (
    Tokens,
    consistency_token,
    fitting_page,
    number_page_token,
    page_token,
    read_number_page_token,
    read_page_token,
    read_stream_cursor,
    stream_cursor,
)
from server.api.grpc.interceptors.access import current_caller
from server.core.errors import MemoirError
from server.core.request_context import current_request
from server.memories.change.batches import BatchDeleteCommand, BatchUpdateCommand
from server.memories.change.deletion import (
    DeleteMemoryCommand,
    RestoreMemoryCommand,
)
from server.memories.change.scopes import (
    DeleteMemories,
    DeleteMemoriesCommand,
    DeleteScope,
    DeleteScopeCommand,
    ListScopes,
    ListScopesCommand,
    ScopeCursor,
)
from server.memories.change.update_memory import (
    UpdatedMemory,
    UpdateMemoryCommand,
)
from server.memories.history.events import (
    ListMemoryEvents,
    ListMemoryEventsCommand,
    WatchMemoryEvents,
    WatchMemoryEventsCommand,
)
from server.memories.memory import StreamCursor
from server.memories.scope import StoredDeletion

_SCOPE_CURSORS = TypeAdapter(ScopeCursor)


@dataclass(frozen=True, slots=True)
class ChangeUseCases:
    """The use cases of these methods."""

    update: Callable[[UpdateMemoryCommand], Awaitable[UpdatedMemory]]
    delete: Callable[[DeleteMemoryCommand], Awaitable[StoredDeletion]]
    restore: Callable[[RestoreMemoryCommand], Awaitable[UpdatedMemory]]
    update_batch: Callable[[BatchUpdateCommand], Awaitable[list[UpdatedMemory | MemoirError]]]
    delete_batch: Callable[[BatchDeleteCommand], Awaitable[list[StoredDeletion | MemoirError]]]
    delete_memories: DeleteMemories
    delete_scope: DeleteScope
    list_scopes: ListScopes
    events: ListMemoryEvents
    watch: WatchMemoryEvents


class MemoryChanges:
    """Changes memories and scopes, and reads histories. Its methods are those of the contract."""

    def __init__(self, changes: ChangeUseCases, tokens: Tokens) -> None:
        self._changes = changes
        self._tokens = tokens
        # What several streams send is converted once.
        self._streamed: WeakKeyDictionary[object, memory_service_pb2.WatchMemoryEventsResponse] = (
            WeakKeyDictionary()
        )

    async def UpdateMemory(
        self, request: memory_service_pb2.UpdateMemoryRequest, _context: object
    ) -> memory_service_pb2.UpdateMemoryResponse:
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        updated = await self._changes.update(update_command(request, caller))
        return memory_service_pb2.UpdateMemoryResponse(
            memory=memory_message(updated.memory),
            consistency_token=consistency_token(tokens, updated.position),
        )

    async def DeleteMemory(
        self, request: memory_service_pb2.DeleteMemoryRequest, _context: object
    ) -> memory_service_pb2.DeleteMemoryResponse:
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        deletion = await self._changes.delete(delete_command(request, caller))
        return memory_service_pb2.DeleteMemoryResponse(
            consistency_token=consistency_token(tokens, deletion.position),
            receipt=receipt_message(deletion.receipt),
        )

    async def RestoreMemory(
        self, request: memory_service_pb2.RestoreMemoryRequest, _context: object
    ) -> memory_service_pb2.RestoreMemoryResponse:
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        restored = await self._changes.restore(
            RestoreMemoryCommand(
                project_id=caller.project_id,
                memory_id=UUID(request.id),
                version=request.version,
                etag=request.etag if request.HasField("etag") else None,
                key=request_key(request, request.request_id),
                within=caller.scope,
            )
        )
        return memory_service_pb2.RestoreMemoryResponse(
            memory=memory_message(restored.memory),
            consistency_token=consistency_token(tokens, restored.position),
        )

    async def BatchUpdateMemories(
        self, request: memory_service_pb2.BatchUpdateMemoriesRequest, _context: object
    ) -> memory_service_pb2.BatchUpdateMemoriesResponse:
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        command = await asyncio.to_thread(batch_update_command, request, caller)
        outcomes = await self._changes.update_batch(command)
        correlation_id = current_request().correlation_id
        return await asyncio.to_thread(batch_update_response, outcomes, correlation_id, tokens)

    async def BatchDeleteMemories(
        self, request: memory_service_pb2.BatchDeleteMemoriesRequest, _context: object
    ) -> memory_service_pb2.BatchDeleteMemoriesResponse:
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        command = batch_delete_command(request, caller)
        outcomes = await self._changes.delete_batch(command)
        return batch_delete_response(command, outcomes, current_request().correlation_id, tokens)

    async def ListMemoryEvents(
        self, request: memory_service_pb2.ListMemoryEventsRequest, _context: object
    ) -> memory_service_pb2.ListMemoryEventsResponse:
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        command = ListMemoryEventsCommand(
            project_id=caller.project_id,
            memory_id=UUID(request.id),
            page_size=request.page_size or DEFAULT_PAGE_SIZE,
            after_version=read_number_page_token(tokens, request, request.page_token),
            within=caller.scope,
        )

        async def page(size: int) -> memory_service_pb2.ListMemoryEventsResponse:
            found = await self._changes.events(replace(command, page_size=size))
            return memory_service_pb2.ListMemoryEventsResponse(
                events=map(event_message, found.items),
                next_page_token=number_page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "events")

    async def WatchMemoryEvents(
        self, request: memory_service_pb2.WatchMemoryEventsRequest, _context: object
    ) -> AsyncIterator[memory_service_pb2.WatchMemoryEventsResponse]:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = WatchMemoryEventsCommand(
            project_id=tokens.project_id,
            scope=scope_of(request),
            after=read_stream_cursor(tokens, request.cursor) if request.cursor else None,
        )
        async for streamed in self._changes.watch(command):
            if isinstance(streamed, StreamCursor):
                yield memory_service_pb2.WatchMemoryEventsResponse(
                    cursor=stream_cursor(tokens, streamed)
                )
                continue
            response = self._streamed.get(streamed)
            if response is None:
                response = memory_service_pb2.WatchMemoryEventsResponse(
                    event=event_message(streamed.event),
                    cursor=stream_cursor(tokens, streamed.cursor),
                )
                self._streamed[streamed] = response
            yield response

    async def DeleteMemories(
        self, request: memory_service_pb2.DeleteMemoriesRequest, _context: object
    ) -> memory_service_pb2.DeleteMemoriesResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = DeleteMemoriesCommand(
            project_id=tokens.project_id,
            scope=scope_of(request),
            key=request_key(request, request.request_id),
            filters=filters_of(request),
            erase=erases(request.erasure_mode),
            validate_only=request.validate_only,
        )
        deletion = await self._changes.delete_memories(command)
        return memory_service_pb2.DeleteMemoriesResponse(
            receipt=receipt_message(deletion.receipt),
            consistency_token=(
                "" if command.validate_only else consistency_token(tokens, deletion.position)
            ),
        )

    async def ListScopes(
        self, request: memory_service_pb2.ListScopesRequest, _context: object
    ) -> memory_service_pb2.ListScopesResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = ListScopesCommand(
            project_id=tokens.project_id,
            page_size=request.page_size or DEFAULT_PAGE_SIZE,
            kind=KINDS.get(request.kind),
            after=read_page_token(tokens, request, request.page_token, _SCOPE_CURSORS),
        )

        async def page(size: int) -> memory_service_pb2.ListScopesResponse:
            found = await self._changes.list_scopes(replace(command, page_size=size))
            return memory_service_pb2.ListScopesResponse(
                scopes=map(scope_message, found.items),
                next_page_token=page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "scopes")

    async def DeleteScope(
        self, request: memory_service_pb2.DeleteScopeRequest, _context: object
    ) -> memory_service_pb2.DeleteScopeResponse:
        tokens = await self._tokens.of_project(current_caller().project_id)
        command = DeleteScopeCommand(
            project_id=tokens.project_id,
            kind=KINDS[request.kind],
            scope_id=request.id,
            key=request_key(request, request.request_id),
        )
        deletion = await self._changes.delete_scope(command)
        return memory_service_pb2.DeleteScopeResponse(
            receipt=receipt_message(deletion.receipt),
            consistency_token=consistency_token(tokens, deletion.position),
        )
