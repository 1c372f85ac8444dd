"""The methods of memoir.v1.MemoryService that change stored memories or whole scopes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

from memoir.v1 import memory_service_pb2

from server.api.grpc.convert.changes import (
    batch_delete_command,
    batch_delete_response,
    batch_update_command,
    batch_update_response,
    delete_command,
    delete_memories_command,
    delete_scope_command,
    events_command,
    list_scopes_command,
    receipt_message,
    restore_command,
    scope_message,
    update_command,
    watch_command,
)
from server.api.grpc.convert.memories import event_message, memory_message
from server.api.grpc.convert.tokens import (
    consistency_token,
    fitting_page,
    number_page_token,
    page_token,
    stream_cursor,
)
from server.api.grpc.interceptors.access import current_caller
from server.api.grpc.tokens import Tokens
from server.core.errors import MemoirError
from server.core.request_context import current_request
from server.memories.change.deletion import (
    BatchDeleteCommand,
    DeleteMemoryCommand,
    RestoreMemoryCommand,
)
from server.memories.change.scopes import DeleteMemories, DeleteScope, ListScopes
from server.memories.change.update_memory import (
    BatchUpdateCommand,
    UpdatedMemory,
    UpdateMemoryCommand,
)
from server.memories.history.events import ListMemoryEvents, WatchMemoryEvents
from server.memories.memory import StreamCursor
from server.memories.scope import StoredDeletion


@dataclass(frozen=True, slots=True)
class MutationUseCases:
    """The use cases of these methods."""

    update: Callable[[UpdateMemoryCommand], Awaitable[UpdatedMemory]]
    delete: Callable[[DeleteMemoryCommand], Awaitable[StoredDeletion]]
    restore: Callable[[RestoreMemoryCommand], Awaitable[UpdatedMemory]]
    update_batch: Callable[[BatchUpdateCommand], Awaitable[list[UpdatedMemory | MemoirError]]]
    delete_batch: Callable[[BatchDeleteCommand], Awaitable[list[StoredDeletion | MemoirError]]]
    events: ListMemoryEvents
    watch: WatchMemoryEvents


class MemoryMutations:
    """Updating, deleting, and reading histories. Methods are named as in the contract."""

    def __init__(self, mutations: MutationUseCases, tokens: Tokens) -> None:
        self._mutations = mutations
        self._tokens = tokens
        # What several streams send is converted once.
        self._streamed: WeakKeyDictionary[object, memory_service_pb2.WatchMemoryEventsResponse] = (
            WeakKeyDictionary()
        )

    async def UpdateMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.UpdateMemoryRequest, _context: object
    ) -> memory_service_pb2.UpdateMemoryResponse:
        """See the contract."""
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        updated = await self._mutations.update(update_command(request, caller))
        return memory_service_pb2.UpdateMemoryResponse(
            memory=memory_message(updated.memory),
            consistency_token=consistency_token(tokens, updated.position),
        )

    async def DeleteMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.DeleteMemoryRequest, _context: object
    ) -> memory_service_pb2.DeleteMemoryResponse:
        """See the contract."""
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        deletion = await self._mutations.delete(delete_command(request, caller))
        return memory_service_pb2.DeleteMemoryResponse(
            consistency_token=consistency_token(tokens, deletion.position),
            receipt=receipt_message(deletion.receipt),
        )

    async def RestoreMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.RestoreMemoryRequest, _context: object
    ) -> memory_service_pb2.RestoreMemoryResponse:
        """See the contract."""
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        restored = await self._mutations.restore(restore_command(request, caller))
        return memory_service_pb2.RestoreMemoryResponse(
            memory=memory_message(restored.memory),
            consistency_token=consistency_token(tokens, restored.position),
        )

    async def BatchUpdateMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.BatchUpdateMemoriesRequest, _context: object
    ) -> memory_service_pb2.BatchUpdateMemoriesResponse:
        """See the contract."""
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        command = await asyncio.to_thread(batch_update_command, request, caller)
        outcomes = await self._mutations.update_batch(command)
        correlation_id = current_request().correlation_id
        return await asyncio.to_thread(batch_update_response, outcomes, correlation_id, tokens)

    async def BatchDeleteMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.BatchDeleteMemoriesRequest, _context: object
    ) -> memory_service_pb2.BatchDeleteMemoriesResponse:
        """See the contract."""
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        command = batch_delete_command(request, caller)
        outcomes = await self._mutations.delete_batch(command)
        return batch_delete_response(command, outcomes, current_request().correlation_id, tokens)

    async def ListMemoryEvents(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.ListMemoryEventsRequest, _context: object
    ) -> memory_service_pb2.ListMemoryEventsResponse:
        """See the contract."""
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        command = events_command(request, caller, tokens)

        async def page(size: int) -> memory_service_pb2.ListMemoryEventsResponse:
            found = await self._mutations.events(replace(command, page_size=size))
            return memory_service_pb2.ListMemoryEventsResponse(
                events=map(event_message, found.items),
                next_page_token=number_page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "events")

    async def WatchMemoryEvents(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.WatchMemoryEventsRequest, _context: object
    ) -> AsyncIterator[memory_service_pb2.WatchMemoryEventsResponse]:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        async for streamed in self._mutations.watch(watch_command(request, project_id, tokens)):
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


@dataclass(frozen=True, slots=True)
class ScopeUseCases:
    """The use cases of these methods."""

    delete_memories: DeleteMemories
    list: ListScopes
    delete: DeleteScope


class MemoryScopes:
    """Listing and deleting scopes. Methods are named as in the contract."""

    def __init__(self, scopes: ScopeUseCases, tokens: Tokens) -> None:
        self._scopes = scopes
        self._tokens = tokens

    async def DeleteMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.DeleteMemoriesRequest, _context: object
    ) -> memory_service_pb2.DeleteMemoriesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = delete_memories_command(request, project_id)
        deletion = await self._scopes.delete_memories(command)
        return memory_service_pb2.DeleteMemoriesResponse(
            receipt=receipt_message(deletion.receipt),
            consistency_token=(
                "" if command.validate_only else consistency_token(tokens, deletion.position)
            ),
        )

    async def ListScopes(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.ListScopesRequest, _context: object
    ) -> memory_service_pb2.ListScopesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = list_scopes_command(request, project_id, tokens)

        async def page(size: int) -> memory_service_pb2.ListScopesResponse:
            found = await self._scopes.list(replace(command, page_size=size))
            return memory_service_pb2.ListScopesResponse(
                scopes=map(scope_message, found.items),
                next_page_token=page_token(tokens, request, found.next),
            )

        return await fitting_page(page, command.page_size, "scopes")

    async def DeleteScope(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.DeleteScopeRequest, _context: object
    ) -> memory_service_pb2.DeleteScopeResponse:
        """See the contract."""
        project_id = current_caller().project_id
        tokens = await self._tokens.of_project(project_id)
        command = delete_scope_command(request, project_id)
        deletion = await self._scopes.delete(command)
        return memory_service_pb2.DeleteScopeResponse(
            receipt=receipt_message(deletion.receipt),
            consistency_token=consistency_token(tokens, deletion.position),
        )
