"""The methods of memoir.v1.MemoryService that change memories which are there."""

from __future__ import annotations

from dataclasses import dataclass

from memoir.v1 import memory_service_pb2

from server.application.delete_memory import DeleteMemory
from server.application.list_memory_events import ListMemoryEvents
from server.application.update_memory import UpdateMemory
from server.transport.convert.life import delete_command, events_command, update_command
from server.transport.convert.memories import event_message, memory_message
from server.transport.convert.tokens import consistency_token, number_page_token
from server.transport.current_caller import current_caller


@dataclass(frozen=True, slots=True)
class LifeUseCases:
    """What these methods run."""

    update: UpdateMemory
    delete: DeleteMemory
    events: ListMemoryEvents


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
        position = await self._life.delete(delete_command(request, current_caller().project_id))
        return memory_service_pb2.DeleteMemoryResponse(
            consistency_token=consistency_token(position)
        )

    async def ListMemoryEvents(  # noqa: N802 - the contract's name
        self, request: memory_service_pb2.ListMemoryEventsRequest, _context: object
    ) -> memory_service_pb2.ListMemoryEventsResponse:
        """See the contract."""
        page = await self._life.events(events_command(request, current_caller().project_id))
        return memory_service_pb2.ListMemoryEventsResponse(
            events=map(event_message, page.events),
            next_page_token=number_page_token(request, page.next),
        )
