"""Errors as `google.rpc.Status` with typed details, and the interceptor that answers them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Never

import grpc
import structlog
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status
from memoir.v1 import error_reason_pb2

from server.api.grpc.interceptors.context import CallContext, CallInterceptor, Method, Proceed
from server.core import errors, transient_errors
from server.core.errors import DeadlineExceeded, ExtractionFailed, InvalidRequest, Unimplemented
from server.core.request_context import current_request

ERROR_DOMAIN = "memoir.v1"
INTERNAL_MESSAGE = "internal error; its cause is in the server's log under the correlation id"

# Status and details travel in the trailing metadata, of which clients accept 8 KiB by default.
_MESSAGE_LIMIT = 256
_METADATA_LIMIT = 512
_FIELD_LIMIT = 256
_VIOLATIONS_LIMIT_BYTES = 3072

_Code = grpc.StatusCode
_Reason = error_reason_pb2.ErrorReason

OUTCOMES: Mapping[
    type[errors.MemoirError], tuple[grpc.StatusCode, error_reason_pb2.ErrorReason.ValueType]
] = {
    errors.InvalidRequest: (_Code.INVALID_ARGUMENT, _Reason.ERROR_REASON_INVALID_FIELDS),
    errors.MalformedRequest: (_Code.INVALID_ARGUMENT, _Reason.ERROR_REASON_MALFORMED_REQUEST),
    errors.AnswerTooLarge: (_Code.INVALID_ARGUMENT, _Reason.ERROR_REASON_ANSWER_TOO_LARGE),
    errors.ProjectRequired: (_Code.INVALID_ARGUMENT, _Reason.ERROR_REASON_PROJECT_REQUIRED),
    errors.ApiKeyInvalid: (_Code.UNAUTHENTICATED, _Reason.ERROR_REASON_API_KEY_INVALID),
    errors.ProjectForbidden: (_Code.PERMISSION_DENIED, _Reason.ERROR_REASON_PROJECT_FORBIDDEN),
    errors.RoleRequired: (_Code.PERMISSION_DENIED, _Reason.ERROR_REASON_ROLE_REQUIRED),
    errors.ScopeForbidden: (_Code.PERMISSION_DENIED, _Reason.ERROR_REASON_SCOPE_FORBIDDEN),
    errors.MemoryNotFound: (_Code.NOT_FOUND, _Reason.ERROR_REASON_MEMORY_NOT_FOUND),
    errors.EntityNotFound: (_Code.NOT_FOUND, _Reason.ERROR_REASON_ENTITY_NOT_FOUND),
    errors.ScopeNotFound: (_Code.NOT_FOUND, _Reason.ERROR_REASON_SCOPE_NOT_FOUND),
    errors.OperationNotFound: (_Code.NOT_FOUND, _Reason.ERROR_REASON_OPERATION_NOT_FOUND),
    errors.OperationNotDone: (_Code.FAILED_PRECONDITION, _Reason.ERROR_REASON_OPERATION_NOT_DONE),
    errors.OperationCancelled: (_Code.CANCELLED, _Reason.ERROR_REASON_CANCELLED),
    errors.OperationAbandoned: (_Code.INTERNAL, _Reason.ERROR_REASON_OPERATION_ABANDONED),
    errors.RequestIdReused: (_Code.ALREADY_EXISTS, _Reason.ERROR_REASON_REQUEST_ID_REUSED),
    errors.EtagMismatch: (_Code.ABORTED, _Reason.ERROR_REASON_ETAG_MISMATCH),
    errors.ConcurrentChange: (_Code.ABORTED, _Reason.ERROR_REASON_CONCURRENT_CHANGE),
    errors.MemoryImmutable: (_Code.FAILED_PRECONDITION, _Reason.ERROR_REASON_MEMORY_IMMUTABLE),
    errors.MemoryDuplicate: (_Code.ALREADY_EXISTS, _Reason.ERROR_REASON_MEMORY_DUPLICATE),
    errors.ExtractionFailed: (_Code.INTERNAL, _Reason.ERROR_REASON_EXTRACTION_FAILED),
    errors.Unimplemented: (_Code.UNIMPLEMENTED, _Reason.ERROR_REASON_UNIMPLEMENTED),
    errors.DeadlineExceeded: (_Code.DEADLINE_EXCEEDED, _Reason.ERROR_REASON_DEADLINE_EXCEEDED),
    transient_errors.ModelUnavailable: (_Code.UNAVAILABLE, _Reason.ERROR_REASON_MODEL_UNAVAILABLE),
    transient_errors.ModelQuotaExhausted: (
        _Code.RESOURCE_EXHAUSTED,
        _Reason.ERROR_REASON_MODEL_QUOTA_EXHAUSTED,
    ),
    transient_errors.StoreUnavailable: (_Code.UNAVAILABLE, _Reason.ERROR_REASON_STORE_UNAVAILABLE),
    transient_errors.GraphUnavailable: (_Code.UNAVAILABLE, _Reason.ERROR_REASON_GRAPH_UNAVAILABLE),
    transient_errors.GraphBehind: (_Code.UNAVAILABLE, _Reason.ERROR_REASON_GRAPH_BEHIND),
    transient_errors.Overloaded: (_Code.RESOURCE_EXHAUSTED, _Reason.ERROR_REASON_OVERLOADED),
    transient_errors.RateLimited: (_Code.RESOURCE_EXHAUSTED, _Reason.ERROR_REASON_RATE_LIMITED),
    errors.QuotaExceeded: (_Code.RESOURCE_EXHAUSTED, _Reason.ERROR_REASON_QUOTA_EXCEEDED),
    transient_errors.QuotaInUse: (_Code.RESOURCE_EXHAUSTED, _Reason.ERROR_REASON_QUOTA_IN_USE),
    transient_errors.ShuttingDown: (_Code.UNAVAILABLE, _Reason.ERROR_REASON_SHUTTING_DOWN),
}
_INTERNAL = (_Code.INTERNAL, _Reason.ERROR_REASON_INTERNAL)


def to_status(error: Exception, correlation_id: str) -> status_pb2.Status:
    """Returns the status to answer, with every detail that the error has.

    An error that is not in the table reveals nothing. Texts and lists are cut if the status would
    otherwise exceed the metadata that clients accept.
    """
    code, reason, message = *_INTERNAL, INTERNAL_MESSAGE
    info = error_details_pb2.ErrorInfo(domain=ERROR_DOMAIN)
    details: list[Message] = [info, error_details_pb2.RequestInfo(request_id=correlation_id)]
    if isinstance(error, errors.MemoirError) and type(error) in OUTCOMES:
        code, reason = OUTCOMES[type(error)]
        message = _cut(str(error), _MESSAGE_LIMIT)
        info.metadata.update({k: _cut(v, _METADATA_LIMIT) for k, v in error.metadata.items()})
        details += _typed_details(error)
    info.reason = _Reason.Name(reason)
    return status_pb2.Status(
        code=code.value[0], message=message, details=[_packed(detail) for detail in details]
    )


def _typed_details(error: errors.MemoirError) -> Iterator[Message]:
    if isinstance(error, errors.InvalidRequest):
        yield _bad_request(error.violations)
    if isinstance(error, errors.QuotaExceeded | transient_errors.QuotaInUse):
        failure = error_details_pb2.QuotaFailure()
        failure.violations.add(subject=f"quota:{error.quota}", description=error.message)
        yield failure
    if isinstance(error, transient_errors.Retryable):
        delay = duration_pb2.Duration()
        delay.FromTimedelta(error.retry_after)
        yield error_details_pb2.RetryInfo(retry_delay=delay)


def _bad_request(violations: tuple[errors.FieldViolation, ...]) -> error_details_pb2.BadRequest:
    bad_request = error_details_pb2.BadRequest()
    for index, violation in enumerate(violations):
        bad_request.field_violations.add(
            field=_cut(violation.field, _FIELD_LIMIT),
            description=_cut(violation.description, _FIELD_LIMIT),
        )
        if bad_request.ByteSize() > _VIOLATIONS_LIMIT_BYTES:
            left_out = len(violations) - index - 1
            if left_out:
                bad_request.field_violations.add(description=f"and {left_out} more violations")
            break
    return bad_request


def _packed(detail: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(detail)
    return packed


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else text[: limit - 1] + "…"


log: structlog.typing.FilteringBoundLogger = structlog.get_logger("server.errors")


class ErrorsInterceptor(CallInterceptor):
    """Turns exceptions into statuses: domain errors by the table, all others as INTERNAL.

    Cancellation and gRPC's own errors pass through. They mean that the call has been answered, or
    that its client or the server is gone; aborting such a call again would fail.
    """

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        try:
            return await proceed(request, context)
        except grpc.aio.BaseError:
            raise
        except TimeoutError as error:
            await _answer(DeadlineExceeded(), method, context, cause=error)
        except NotImplementedError as error:
            await _answer(Unimplemented(method.name), method, context, cause=error)
        except Exception as error:  # noqa: BLE001 - every other error must be answered too
            await _answer(error, method, context, cause=error.__cause__)


async def _answer(
    error: Exception, method: Method, context: CallContext, cause: BaseException | None
) -> Never:
    _report(error, method, cause)
    status = rpc_status.to_status(to_status(error, current_request().correlation_id))
    await context.abort(status.code, status.details, tuple(status.trailing_metadata))


def _report(error: Exception, method: Method, cause: BaseException | None) -> None:
    """Logs the cause, which is never sent to the client."""
    if type(error) not in OUTCOMES:
        log.error("rpc.failed", method=method.name, exc_info=error)
    elif isinstance(error, ExtractionFailed):
        # Its problems and its cause may quote the conversation, so they are only counted and named.
        log.warning(
            "extraction.failed",
            method=method.name,
            **error.metadata,
            problems=len(error.problems),
            cause_type=type(cause).__name__ if cause else None,
        )
    elif cause is not None and not isinstance(error, InvalidRequest):
        reason = type(error).__name__
        log.warning("rpc.refused", method=method.name, reason=reason, exc_info=cause)
