"""google.longrunning.Operations."""

from __future__ import annotations

from uuid import UUID

from google.longrunning import operations_proto_pb2
from google.protobuf.empty_pb2 import Empty
from pydantic import TypeAdapter

from server.api.grpc.convert.operations import (
    operation_message,
    read_operation_name,
    read_parent,
    read_state_filter,
)
from server.api.grpc.convert.requests import DEFAULT_PAGE_SIZE
from server.api.grpc.convert.tokens import Tokens, fitting_page, page_token, read_page_token
from server.api.grpc.interceptors.access import current_caller
from server.api.grpc.status import to_status
from server.core.errors import OperationCancelled
from server.core.request_context import current_request
from server.operations.manage_operations import ManageOperations

LARGEST_PAGE = 200
_CURSORS = TypeAdapter(UUID)
ANSWER_SECONDS = 0.25
"""How long before its deadline a wait ends, so that the answer still arrives in time."""


class OperationsService:
    """Manages asynchronous calls. Its methods are those of `google.longrunning.Operations`."""

    def __init__(self, operations: ManageOperations, tokens: Tokens) -> None:
        self._operations = operations
        self._tokens = tokens

    async def GetOperation(
        self, request: operations_proto_pb2.GetOperationRequest, _context: object
    ) -> operations_proto_pb2.Operation:
        operation_id = read_operation_name(request.name)
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        view = await self._operations.get(caller.project_id, operation_id, caller.scope)
        return operation_message(view, tokens)

    async def ListOperations(
        self, request: operations_proto_pb2.ListOperationsRequest, _context: object
    ) -> operations_proto_pb2.ListOperationsResponse:
        read_parent(request.name)
        states = read_state_filter(request.filter)
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        before = read_page_token(tokens, request, request.page_token, _CURSORS)

        async def page(size: int) -> operations_proto_pb2.ListOperationsResponse:
            found = await self._operations.list(
                caller.project_id, states, size, before, caller.scope
            )
            return operations_proto_pb2.ListOperationsResponse(
                operations=[operation_message(view, tokens) for view in found.items],
                next_page_token=page_token(tokens, request, found.next),
            )

        size = min(max(request.page_size, 0) or DEFAULT_PAGE_SIZE, LARGEST_PAGE)
        return await fitting_page(page, size, "operations")

    async def WaitOperation(
        self, request: operations_proto_pb2.WaitOperationRequest, _context: object
    ) -> operations_proto_pb2.Operation:
        operation_id = read_operation_name(request.name)
        caller = current_caller()
        tokens = await self._tokens.of_project(caller.project_id)
        seconds = max(0.0, current_request().remaining() - ANSWER_SECONDS)
        if request.HasField("timeout"):
            seconds = min(seconds, max(0.0, request.timeout.ToTimedelta().total_seconds()))
        return operation_message(
            await self._operations.wait(caller.project_id, operation_id, seconds, caller.scope),
            tokens,
        )

    async def CancelOperation(
        self, request: operations_proto_pb2.CancelOperationRequest, _context: object
    ) -> Empty:
        operation_id = read_operation_name(request.name)
        status = to_status(OperationCancelled(), current_request().correlation_id)
        caller = current_caller()
        await self._operations.cancel(
            caller.project_id, operation_id, status.SerializeToString(), caller.scope
        )
        return Empty()

    async def DeleteOperation(
        self, request: operations_proto_pb2.DeleteOperationRequest, _context: object
    ) -> Empty:
        operation_id = read_operation_name(request.name)
        caller = current_caller()
        await self._operations.delete(caller.project_id, operation_id, caller.scope)
        return Empty()
