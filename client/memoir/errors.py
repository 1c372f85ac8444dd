"""The errors of calls, one class for each canonical code of gRPC.

MemoirError
├── InvalidArgument       `violations` lists every invalid field
├── Unauthenticated       the key is missing, unknown or revoked
├── PermissionDenied      the key may not use this project
├── NotFound
├── AlreadyExists         a request id with another payload, or a duplicate memory
├── FailedPrecondition    an immutable memory, an operation that is not done
├── Aborted               a stale etag, or a concurrent change
├── ResourceExhausted     overload, a rate limit or a quota; `retry_after` says when to try again
├── Unavailable           the server or a part of it is unavailable; has `retry_after` too
├── DeadlineExceeded
├── Cancelled
├── Unimplemented
├── Internal              the cause is in the server's log under `correlation_id`
└── OperationFailed       an asynchronous add was given up
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2

_STATUS_DETAILS = "grpc-status-details-bin"


class FailedCall(Protocol):
    """The common part of grpc's synchronous and asynchronous errors."""

    def code(self) -> grpc.StatusCode:
        """Returns the canonical code."""

    def details(self) -> str | None:
        """Returns the message."""

    def trailing_metadata(self) -> Iterable[Any] | None:
        """Returns the metadata of the status."""


@dataclass(frozen=True, slots=True)
class Violation:
    """An invalid field, by its path, and the broken rule."""

    field: str
    description: str


class MemoirError(Exception):
    """A call that failed.

    Attributes:
        code: the canonical code, such as `NOT_FOUND`.
        reason: the service's own reason, such as `ERROR_REASON_MEMORY_NOT_FOUND`; empty if the
            error did not come from the service.
        metadata: the metadata that the reason documents, such as the id that was not found.
        violations: every invalid field, for `INVALID_ARGUMENT`.
        retry_after: seconds after which a retry makes sense, or None.
        correlation_id: the id under which the server logged the call; empty if unknown.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "UNKNOWN",
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Sequence[Violation] = (),
        retry_after: float | None = None,
        correlation_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after = retry_after
        self.correlation_id = correlation_id

    def __str__(self) -> str:
        lines = [f"{self.code}: {self.message}"]
        lines += [f"  {violation.field}: {violation.description}" for violation in self.violations]
        if self.correlation_id:
            lines.append(f"  correlation id: {self.correlation_id}")
        return "\n".join(lines)


class InvalidArgument(MemoirError):
    """The request is invalid; `violations` lists every invalid field."""


class Unauthenticated(MemoirError):
    """The key is missing, unknown or revoked."""


class PermissionDenied(MemoirError):
    """The key does not permit this call, or not in this project."""


class NotFound(MemoirError):
    """The memory, entity, scope or operation does not exist in this project."""


class AlreadyExists(MemoirError):
    """The request id was used with another payload, or the scope holds the same memory already."""


class FailedPrecondition(MemoirError):
    """The state does not allow it, such as changing an immutable memory."""


class Aborted(MemoirError):
    """The memory was changed in the meantime: read it again and reconsider."""


class ResourceExhausted(MemoirError):
    """The server is overloaded, or a rate limit or quota is reached."""


class Unavailable(MemoirError):
    """The server, or a part that the call needs, is unavailable."""


class DeadlineExceeded(MemoirError):
    """The deadline passed. A write may have taken effect: repeat it with the same `request_id`."""


class Cancelled(MemoirError):
    """The call was cancelled."""


class Unimplemented(MemoirError):
    """The server does not have this method."""


class Internal(MemoirError):
    """The server failed, or a model's answer could not be used."""


class OperationFailed(MemoirError):
    """An asynchronous add was given up or cancelled; the attributes describe the cause."""


_CLASSES: Mapping[str, type[MemoirError]] = {
    "INVALID_ARGUMENT": InvalidArgument,
    "OUT_OF_RANGE": InvalidArgument,
    "UNAUTHENTICATED": Unauthenticated,
    "PERMISSION_DENIED": PermissionDenied,
    "NOT_FOUND": NotFound,
    "ALREADY_EXISTS": AlreadyExists,
    "FAILED_PRECONDITION": FailedPrecondition,
    "ABORTED": Aborted,
    "RESOURCE_EXHAUSTED": ResourceExhausted,
    "UNAVAILABLE": Unavailable,
    "DEADLINE_EXCEEDED": DeadlineExceeded,
    "CANCELLED": Cancelled,
    "UNIMPLEMENTED": Unimplemented,
    "INTERNAL": Internal,
    "UNKNOWN": Internal,
    "DATA_LOSS": Internal,
}


def from_rpc_error(error: FailedCall) -> MemoirError:
    """Returns the error of a call, with the server's details."""
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    code = error.code().name
    return _CLASSES.get(code, MemoirError)(error.details() or "the call failed", code=code)


def from_status(status: status_pb2.Status, into: type[MemoirError] | None = None) -> MemoirError:
    """Returns the error of a `google.rpc.Status`, in the class of its code or in `into`."""
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.RequestInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for message in (info, request, bad_request, retry):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    code = code_pb2.Code.Name(status.code) if status.code in code_pb2.Code.values() else "UNKNOWN"
    retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return (into or _CLASSES.get(code, MemoirError))(
        status.message,
        code=code,
        reason=info.reason,
        metadata=info.metadata,
        violations=[Violation(v.field, v.description) for v in bad_request.field_violations],
        retry_after=retry_after if retry.HasField("retry_delay") else None,
        correlation_id=request.request_id,
    )
