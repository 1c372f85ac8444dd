"""The errors of calls, one class for each canonical code of gRPC.

MemoirError
├── InvalidArgument       `violations` name every wrong field
├── Unauthenticated       no key, or one that is unknown or revoked
├── PermissionDenied      the key may not use this project
├── NotFound
├── AlreadyExists         a request id with another payload, or a duplicate memory
├── FailedPrecondition    an immutable memory, an operation that is not done
├── Aborted               a stale etag, or a concurrent change
├── ResourceExhausted     overload, a rate limit or a quota; `retry_after` says when to try again
├── Unavailable           a server or a part of it is away; `retry_after` too
├── DeadlineExceeded
├── Cancelled
├── Unimplemented
├── Internal              the cause is in the server's log under `correlation_id`
└── OperationFailed       an asynchronous add was given up; `cause` says why
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import grpc
from google.rpc import code_pb2, error_details_pb2, status_pb2

_STATUS_DETAILS = "grpc-status-details-bin"


class FailedCall(Protocol):
    """What an error of grpc says, in synchronous code as in asyncio."""

    def code(self) -> grpc.StatusCode:
        """The canonical code."""

    def details(self) -> str | None:
        """What went wrong, in words."""

    def trailing_metadata(self) -> Iterable[Any] | None:
        """The metadata that came with the status."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One field that the server refused, by its path, and why."""

    field: str
    description: str


class MemoirError(Exception):
    """A call that failed.

    Attributes:
        code: the canonical code, such as `NOT_FOUND`.
        reason: the service's own reason, such as `ERROR_REASON_MEMORY_NOT_FOUND`; empty if the
            error did not come from the service.
        metadata: what the reason documents, such as the id that was not found.
        violations: every wrong field, for `INVALID_ARGUMENT`.
        retry_after: seconds after which it makes sense to try again, or None.
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
    """The request is wrong; `violations` name every wrong field."""


class Unauthenticated(MemoirError):
    """There is no key, or it is unknown or revoked."""


class PermissionDenied(MemoirError):
    """The key may not do this, or not in this project."""


class NotFound(MemoirError):
    """The memory, entity, scope or operation does not exist, or not in this project."""


class AlreadyExists(MemoirError):
    """The request id was used with another payload, or the scope holds the same memory already."""


class FailedPrecondition(MemoirError):
    """The state does not allow it, such as changing an immutable memory."""


class Aborted(MemoirError):
    """Somebody else changed the memory meanwhile: read it again and decide again."""


class ResourceExhausted(MemoirError):
    """Too much at once, or a quota is used up."""


class Unavailable(MemoirError):
    """The server, or a part that the call needs, is away."""


class DeadlineExceeded(MemoirError):
    """The call's time was up. A write may have happened: repeat it with the same `request_id`."""


class Cancelled(MemoirError):
    """The call was cancelled."""


class Unimplemented(MemoirError):
    """The server does not know this method."""


class Internal(MemoirError):
    """The server failed, or a model's answer could not be used."""


class OperationFailed(MemoirError):
    """An asynchronous add was given up or cancelled, for the reason that the other fields give."""


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
    """The error of a call, with the details that the server gave."""
    for key, value in error.trailing_metadata() or ():
        if key == _STATUS_DETAILS and isinstance(value, bytes):
            return from_status(status_pb2.Status.FromString(value))
    code = error.code().name
    return _CLASSES.get(code, MemoirError)(error.details() or "the call failed", code=code)


def from_status(status: status_pb2.Status, into: type[MemoirError] | None = None) -> MemoirError:
    """The error that a `google.rpc.Status` tells of, as the class of its code or as `into`."""
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
