"""The methods of memoir.v1.MemoryService that change memories which are there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace

from memoir.v1 import memory_service_pb2

from server.application.batch_delete_memories import BatchDeleteCommand
from server.application.batch_update_memories import BatchUpdateCommand
from server.application.delete_memory import DeleteMemoryCommand
from server.application.list_memory_events import ListMemoryEvents
from server.application.restore_memory import RestoreMemoryCommand
from server.application.update_memory import UpdatedMemory, UpdateMemoryCommand
from server.application.watch_memory_events import WatchMemoryEvents
from server.domain.errors import MemoirError
from server.domain.history import StreamCursor
from server.domain.request_context import current_request
from server.domain.scope_kinds import StoredDeletion
from server.transport.answers import fitting_page
from server.transport.batch_results import batch_delete_response, batch_update_response
from server.transport.convert.life import (
    batch_delete_command,
    batch_update_command,
    delete_command,
    events_command,
    restore_command,
    update_command,
    watch_command,
)
from server.transport.convert.memories import event_message, memory_message
from server.transport.convert.scopes import receipt_message
from server.transport.convert.tokens import consistency_token, number_page_token, stream_cursor
from server.transport.current_caller import current_caller
from server.transport.large_messages import beside_the_loop


@dataclass(frozen=True, slots=True)
class LifeUseCases:
    """What these methods run."""

    update: Callable[[UpdateMemoryCommand], Awaitable[UpdatedMemory]]
    delete: Callable[[DeleteMemoryCommand], Awaitable[StoredDeletion]]
    restore: Callable[[RestoreMemoryCommand], Awaitable[UpdatedMemory]]
    update_batch: Callable[[BatchUpdateCommand], Awaitable[list[UpdatedMemory | MemoirError]]]
    delete_batch: Callable[[BatchDeleteCommand], Awaitable[list[StoredDeletion | MemoirError]]]
    events: ListMemoryEvents
    watch: WatchMemoryEvents


class MemoryLife:
    """Updating, deleting, and reading histories. Methods are named as in the contract."""

    def __init__(self, life: LifeUseCases) -> None:
        self._life = life

    async def UpdateMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.UpdateMemoryRequest, _context: object
    ) -> memory_service_pb2.UpdateMemoryResponse:
        """See the contract."""
        updated = await self._life.update(update_command(request, current_caller().project_id))
        return memory_service_pb2.UpdateMemoryResponse(
            memory=memory_message(updated.memory),
            consistency_token=consistency_token(updated.position),
        )

    async def DeleteMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.DeleteMemoryRequest, _context: object
    ) -> memory_service_pb2.DeleteMemoryResponse:
        """See the contract."""
        deletion = await self._life.delete(delete_command(request, current_caller().project_id))
        return memory_service_pb2.DeleteMemoryResponse(
            consistency_token=consistency_token(deletion.position),
            receipt=receipt_message(deletion.receipt),
        )

    async def RestoreMemory(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.RestoreMemoryRequest, _context: object
    ) -> memory_service_pb2.RestoreMemoryResponse:
        """See the contract."""
        restored = await self._life.restore(restore_command(request, current_caller().project_id))
        return memory_service_pb2.RestoreMemoryResponse(
            memory=memory_message(restored.memory),
            consistency_token=consistency_token(restored.position),
        )

    async def BatchUpdateMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.BatchUpdateMemoriesRequest, _context: object
    ) -> memory_service_pb2.BatchUpdateMemoriesResponse:
        """See the contract."""
        project_id = current_caller().project_id
        command = await beside_the_loop(batch_update_command, request, project_id)
        outcomes = await self._life.update_batch(command)
        correlation_id = current_request().correlation_id
        return await beside_the_loop(batch_update_response, outcomes, correlation_id)

    async def BatchDeleteMemories(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.BatchDeleteMemoriesRequest, _context: object
    ) -> memory_service_pb2.BatchDeleteMemoriesResponse:
        """See the contract."""
        command = batch_delete_command(request, current_caller().project_id)
        outcomes = await self._life.delete_batch(command)
        return batch_delete_response(command, outcomes, current_request().correlation_id)

    async def ListMemoryEvents(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.ListMemoryEventsRequest, _context: object
    ) -> memory_service_pb2.ListMemoryEventsResponse:
        """See the contract."""
        command = events_command(request, current_caller().project_id)

        async def page(size: int) -> memory_service_pb2.ListMemoryEventsResponse:
            found = await self._life.events(replace(command, page_size=size))
            return memory_service_pb2.ListMemoryEventsResponse(
                events=map(event_message, found.events),
                next_page_token=number_page_token(request, found.next),
            )

        return await fitting_page(page, command.page_size, "events")

    async def WatchMemoryEvents(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.WatchMemoryEventsRequest, _context: object
    ) -> AsyncIterator[memory_service_pb2.WatchMemoryEventsResponse]:
        """See the contract."""
        async for streamed in self._life.watch(watch_command(request, current_caller().project_id)):
            if isinstance(streamed, StreamCursor):
                yield memory_service_pb2.WatchMemoryEventsResponse(cursor=stream_cursor(streamed))
            else:
                yield memory_service_pb2.WatchMemoryEventsResponse(
                    event=event_message(streamed.event), cursor=stream_cursor(streamed.cursor)
                )
