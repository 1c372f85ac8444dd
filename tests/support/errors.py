"""Reading the typed details of an error."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class ErrorDetails:
    """The typed details of an error."""

    code: grpc.StatusCode
    message: str
    reason: str
    metadata: dict[str, str]
    request_id: str
    violations: dict[str, str]
    retry_after: timedelta | None


def details_of(error: grpc.aio.AioRpcError) -> ErrorDetails:
    """Returns the typed details of an error."""
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} has no details: {error.details()}"
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.RequestInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    retry_after = None
    for detail in status.details:
        for message in (info, request, bad):
            detail.Unpack(message)
        if detail.Unpack(retry):
            retry_after = retry.retry_delay.ToTimedelta()
    assert info.domain == "memoir.v1"
    return ErrorDetails(
        code=error.code(),
        message=error.details() or "",
        reason=info.reason.removeprefix("ERROR_REASON_"),
        metadata=dict(info.metadata),
        request_id=request.request_id,
        violations={v.field: v.description for v in bad.field_violations},
        retry_after=retry_after,
    )
