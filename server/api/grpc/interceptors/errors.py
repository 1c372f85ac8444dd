"""Errors of calls on their way out: one canonical status with typed details for every exception."""

from __future__ import annotations

from typing import Any, Never

import grpc
import structlog
from grpc_status import rpc_status

from server.api.grpc.interceptors.context import CallContext, CallInterceptor, Method, Proceed
from server.api.grpc.status import OUTCOMES, to_status
from server.core.errors import DeadlineExceeded, ExtractionFailed, InvalidRequest, Unimplemented
from server.core.request_context import current_request

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("server.errors")


class ErrorsInterceptor(CallInterceptor):
    """Answers exceptions: those of the domain as they are, all others as INTERNAL.

    Cancellation and gRPC's own errors pass through: they mean that the call is already answered, or
    that its client or the server is gone, and such a call must not be touched again.
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
    """Logs the cause, which the client does not see."""
    if type(error) not in OUTCOMES:
        _log.error("rpc.failed", method=method.name, exc_info=error)
    elif isinstance(error, ExtractionFailed):
        # Its problems and its cause may quote the conversation, so they are only counted and named.
        _log.warning(
            "extraction.failed",
            method=method.name,
            **error.metadata,
            problems=len(error.problems),
            cause_type=type(cause).__name__ if cause else None,
        )
    elif cause is not None and not isinstance(error, InvalidRequest):
        reason = type(error).__name__
        _log.warning("rpc.refused", method=method.name, reason=reason, exc_info=cause)
