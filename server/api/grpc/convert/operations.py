"""Converts asynchronous calls to `google.longrunning.Operation`."""

from __future__ import annotations

import re
from datetime import datetime
from uuid import UUID

from google.longrunning import operations_proto_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc import status_pb2
from memoir.v1 import memory_service_pb2

from server.api.grpc.convert.memories import add_response
from server.api.grpc.convert.tokens import ProjectTokens
from server.core.errors import FieldViolation, InvalidRequest, OperationNotFound
from server.memories.scope import SCOPE_FIELDS
from server.operations.manage_operations import OperationView
from server.operations.operation import Operation, OperationState

_NAME = re.compile(r"projects/(?P<project>.+)/operations/(?P<id>[0-9a-f-]{36})")
_PARENT = re.compile(r"projects/(?P<project>[^/]+)(/operations)?")
_FILTER = re.compile(r"\s*(?P<field>state|done)\s*=\s*\"?(?P<value>\w+)\"?\s*", re.IGNORECASE)

_STATES = {
    state: memory_service_pb2.OperationMetadata.State.Value(f"STATE_{state}")
    for state in OperationState
}
_DONE = {
    "true": [state for state in OperationState if state.is_done],
    "false": [state for state in OperationState if not state.is_done],
}


def project_of_name(name: str) -> str | None:
    """Returns the project in the name of an operation or of its parent."""
    found = _NAME.fullmatch(name) or _PARENT.fullmatch(name)
    return found["project"] if found else None


def read_operation_name(name: str) -> UUID:
    """Returns the id in an operation's name, whose project was checked before.

    Raises:
        InvalidRequest: it is not the name of an operation.
    """
    found = _NAME.fullmatch(name)
    try:
        return UUID(found["id"] if found else "")
    except ValueError as error:
        raise InvalidRequest(
            [FieldViolation("name", "must be `projects/<project>/operations/<id>`")]
        ) from error


def read_parent(name: str) -> None:
    """Checks the name of the project whose operations are listed; empty means the key's project.

    Raises:
        InvalidRequest: it is not the name of a project.
    """
    if name and not _PARENT.fullmatch(name):
        raise InvalidRequest([FieldViolation("name", "must be `projects/<project>`")])


def read_state_filter(text: str) -> list[OperationState] | None:
    """Returns the states of a filter such as `state = FAILED` or `done = true`; None for all.

    Raises:
        InvalidRequest: it is not such a filter.
    """
    if not text.strip():
        return None
    found = _FILTER.fullmatch(text)
    if found and found["field"].lower() == "done" and found["value"].lower() in _DONE:
        return _DONE[found["value"].lower()]
    if found and found["field"].lower() == "state":
        named = found["value"].upper().removeprefix("STATE_")
        if named in OperationState.__members__:
            return [OperationState(named)]
    states = ", ".join(OperationState)
    raise InvalidRequest(
        [FieldViolation("filter", f"must be `state = S`, of {states}, or `done = true|false`")]
    )


def operation_message(view: OperationView, tokens: ProjectTokens) -> operations_proto_pb2.Operation:
    """Returns the operation with its metadata and, once it is done, its response or error."""
    operation = view.operation
    message = operations_proto_pb2.Operation(
        name=f"projects/{operation.project_id}/operations/{operation.id}",
        done=operation.state.is_done,
    )
    message.metadata.Pack(_metadata(operation))
    if operation.state is OperationState.SUCCEEDED:
        message.response.Pack(_response(view, tokens))
    elif operation.error is not None:
        message.error.CopyFrom(status_pb2.Status.FromString(operation.error))
    return message


def _response(view: OperationView, tokens: ProjectTokens) -> memory_service_pb2.AddMemoriesResponse:
    if view.outcome is None:
        # Its call was deleted together with its scope.
        raise OperationNotFound(view.operation.id)
    return add_response(view.outcome, tokens, with_relations=view.operation.output_format == "v1.1")


def _metadata(operation: Operation) -> memory_service_pb2.OperationMetadata:
    metadata = memory_service_pb2.OperationMetadata(
        state=_STATES[operation.state],
        attempts=operation.attempts,
        correlation_id=operation.correlation_id,
    )
    for field in ("create_time", "start_time", "end_time", "next_attempt_time"):
        instant: datetime | None = getattr(operation, field)
        if instant is not None:
            stamp: Timestamp = getattr(metadata, field)
            stamp.FromDatetime(instant)
    for field in SCOPE_FIELDS:
        value = getattr(operation.scope, field)
        if value is not None:
            setattr(metadata, field, value)
    return metadata
