"""Accepts asynchronous calls and manages their operations."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

from server.core.clock import Clock, new_id
from server.core.errors import OperationNotDone, OperationNotFound
from server.core.request_context import current_origin, current_request
from server.core.values import Page, page_of
from server.memories.add.add_memories import (
    AddMemoriesCommand,
    AddMemoriesOutcome,
    require_fitting_verbatim_response,
    stored_outcome,
)
from server.memories.ports import MemoryStore
from server.memories.scope import Scope, is_within
from server.operations.operation import Operation, OperationState
from server.operations.ports import Channel, Notifications, Operations, Submission

# A wait reads the operation again after this time, because a notification can be lost.
REREAD_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class OperationView:
    """An operation, with its outcome if it has succeeded."""

    operation: Operation
    outcome: AddMemoriesOutcome | None = None


class SubmitAdd:
    """Stores an add for later, in one round trip shared with concurrent submissions."""

    def __init__(
        self,
        operations: Operations,
        store: MemoryStore,
        clock: Clock,
        on_submit: Callable[[], None],
    ) -> None:
        self._operations = operations
        self._store = store
        self._clock = clock
        self._on_submit = on_submit

    async def __call__(
        self, command: AddMemoriesCommand, payload: bytes, output_format: str
    ) -> OperationView:
        """Returns a new operation, or the operation of the first call with the request id.

        Raises:
            AnswerTooLarge: the messages are to be stored verbatim and are too large to return.
            RequestIdReused: the request id was used before with another payload.
            StoreUnavailable: nothing was stored.
        """
        if not command.infer:
            require_fitting_verbatim_response(command)
        operation = await self._operations.submit(
            Submission(
                id=new_id(self._clock.now()),
                project_id=command.project_id,
                scope=command.scope,
                payload=payload,
                output_format=output_format,
                correlation_id=current_request().correlation_id,
                traceparent=current_request().traceparent,
                origin=current_origin(),
                request_id=command.request_id,
                payload_digest=command.payload_digest,
            )
        )
        self._on_submit()
        return await _view(self._store, operation)


class ManageOperations:
    """Manages the operations of a project. Each method may raise StoreUnavailable.

    Operations that are not `within` the scope, if one is given, do not exist for the caller.
    """

    def __init__(
        self, operations: Operations, store: MemoryStore, notifications: Notifications
    ) -> None:
        self._operations = operations
        self._store = store
        self._notifications = notifications

    async def get(
        self, project_id: str, operation_id: UUID, within: Scope | None = None
    ) -> OperationView:
        """Returns the operation in its current state.

        Raises:
            OperationNotFound: the project has no operation with this id.
        """
        return await self._view(await self._find(project_id, operation_id, within))

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        page_size: int,
        before: UUID | None,
        within: Scope | None = None,
    ) -> Page[OperationView, UUID]:
        """Returns one page: one round trip, and two more for each operation that succeeded."""
        found = await self._operations.list(project_id, states, page_size + 1, before, within)
        page = page_of(found, page_size, lambda operation: operation.id)
        return Page([await self._view(operation) for operation in page.items], page.next)

    async def wait(
        self, project_id: str, operation_id: UUID, seconds: float, within: Scope | None = None
    ) -> OperationView:
        """Returns the operation once it is done, or in its state after `seconds`.

        Raises:
            OperationNotFound: the project has no operation with this id, or no longer has it.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        notified = asyncio.Event()
        with self._notifications.subscribe(Channel.OPERATIONS, notified.set):
            while True:
                notified.clear()
                operation = await self._find(project_id, operation_id, within)
                remaining = end - loop.time()
                if operation.state.is_done or remaining <= 0:
                    return await self._view(operation)
                with suppress(TimeoutError):
                    async with asyncio.timeout(min(remaining, REREAD_SECONDS)):
                        await notified.wait()

    async def cancel(
        self, project_id: str, operation_id: UUID, error: bytes, within: Scope | None = None
    ) -> None:
        """Cancels an operation that is not done. `error` is the encoded status that it then holds.

        A running operation has either already taken full effect or will have no effect.

        Raises:
            OperationNotFound: the project has no operation with this id.
        """
        await self._require_within(project_id, operation_id, within)
        if await self._operations.cancel(project_id, operation_id, error):
            self._notifications.notify(Channel.OPERATIONS)
        else:
            await self._find(project_id, operation_id)

    async def delete(
        self, project_id: str, operation_id: UUID, within: Scope | None = None
    ) -> None:
        """Deletes an operation that is done; its memories stay.

        Raises:
            OperationNotFound: the project has no operation with this id.
            OperationNotDone: it is not done.
        """
        await self._require_within(project_id, operation_id, within)
        if not await self._operations.delete(project_id, operation_id):
            await self._find(project_id, operation_id)
            raise OperationNotDone(operation_id)

    async def _require_within(
        self, project_id: str, operation_id: UUID, within: Scope | None
    ) -> None:
        """Checks the scope before a change; this is safe because an operation's scope is fixed."""
        if within is not None:
            await self._find(project_id, operation_id, within)

    async def _find(
        self, project_id: str, operation_id: UUID, within: Scope | None = None
    ) -> Operation:
        operation = await self._operations.get(project_id, operation_id)
        if operation is None or not is_within(operation.scope, within):
            raise OperationNotFound(operation_id)
        return operation

    async def _view(self, operation: Operation) -> OperationView:
        return await _view(self._store, operation)


async def _view(store: MemoryStore, operation: Operation) -> OperationView:
    if operation.call_id is None:
        return OperationView(operation)
    call = await store.get_call(operation.project_id, operation.call_id)
    return OperationView(operation, None if call is None else stored_outcome(call))
