"""With which code a call ended, also where no status could be sent any more."""

from __future__ import annotations

import asyncio
import time

import grpc

from server.domain.request_context import current_request
from server.transport.interceptors.context import Context

# gRPC rounds timeouts up on the wire, by 0.1 s from 10 s on, and a client keeps its own time.
_DEADLINE_SLACK_SECONDS = 0.15


def final_code(context: Context, error: BaseException | None) -> grpc.StatusCode:
    """The code of a call that ended with `error`, or without one."""
    # An internal error of gRPC is an answer that found its client gone.
    if isinstance(error, asyncio.CancelledError | grpc.aio.InternalError):
        return cancellation_code()
    if error is None or isinstance(error, grpc.aio.AbortError):
        # gRPC answers None where no code was set; its type says otherwise.
        code: grpc.StatusCode | None = context.code()
        return code if code is not None else grpc.StatusCode.OK
    return grpc.StatusCode.UNKNOWN


def cancellation_code() -> grpc.StatusCode:
    """DEADLINE_EXCEEDED if the call's time is up, else CANCELLED.

    gRPC cancels the task of a call in both cases and does not say why.
    """
    left = current_request().deadline - time.monotonic()
    if left <= _DEADLINE_SLACK_SECONDS:
        return grpc.StatusCode.DEADLINE_EXCEEDED
    return grpc.StatusCode.CANCELLED
