"""The calls of google.longrunning.Operations, and the content of operations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from google.longrunning import operations_proto_pb2 as operations_pb2
from google.protobuf.empty_pb2 import Empty
from memoir.call import Call, Page, make_call
from memoir.errors import OperationFailed, from_status
from memoir.results import AddResult, OperationState
from memoir.v1 import memory_service_pb2

_OPERATIONS = "/google.longrunning.Operations/"

# The maximum wait of one call, so that the client notices if the server disappears.
_LONGEST_WAIT = 10.0


def operation(name: str) -> Call[operations_pb2.Operation]:
    return Call(
        _OPERATIONS + "GetOperation",
        operations_pb2.GetOperationRequest(name=name),
        operations_pb2.Operation,
        lambda found: found,
    )


def wait_operation(name: str, seconds: float) -> Call[operations_pb2.Operation]:
    """Returns the call of WaitOperation, which waits for at most this many seconds."""
    request = operations_pb2.WaitOperationRequest(name=name)
    request.timeout.FromTimedelta(timedelta(seconds=min(seconds, _LONGEST_WAIT)))
    return Call(
        _OPERATIONS + "WaitOperation", request, operations_pb2.Operation, lambda found: found
    )


def cancel_operation(name: str) -> Call[None]:
    return Call(
        _OPERATIONS + "CancelOperation",
        operations_pb2.CancelOperationRequest(name=name),
        Empty,
        lambda _: None,
    )


def delete_operation(name: str) -> Call[None]:
    return Call(
        _OPERATIONS + "DeleteOperation",
        operations_pb2.DeleteOperationRequest(name=name),
        Empty,
        lambda _: None,
    )


def operations(
    page_token: str, options: Mapping[str, object]
) -> Call[Page[operations_pb2.Operation]]:
    return make_call(
        _OPERATIONS + "ListOperations",
        operations_pb2.ListOperationsRequest,
        operations_pb2.ListOperationsResponse,
        lambda response: Page(list(response.operations), response.next_page_token),
        {**options, "page_token": page_token},
    )


def operation_result(found: operations_pb2.Operation) -> AddResult:
    """Returns the result of a finished operation.

    Raises:
        OperationFailed: it was given up or cancelled.
    """
    if found.HasField("error"):
        raise from_status(found.error, OperationFailed)
    response = memory_service_pb2.AddMemoriesResponse()
    found.response.Unpack(response)
    return AddResult.from_proto(response)


def operation_state(found: operations_pb2.Operation) -> OperationState:
    """Returns the state of an operation."""
    metadata = memory_service_pb2.OperationMetadata()
    found.metadata.Unpack(metadata)
    return OperationState(memory_service_pb2.OperationMetadata.State.Name(metadata.state))
