"""One log event a call."""

from __future__ import annotations

import time
from typing import Any

import structlog
from opentelemetry import trace

from server.domain.request_context import current_request
from server.transport.current_caller import caller_or_none
from server.transport.interceptors.context import Context, ForwardingContext
from server.transport.interceptors.handlers import HEALTH_SERVICE, Call, CallInterceptor, Proceed
from server.transport.interceptors.outcome import final_code

_log: structlog.stdlib.BoundLogger = structlog.get_logger("server.rpc")


class AccessLogInterceptor(CallInterceptor):
    """Logs every call as the event `rpc`, health checks at debug.

    Sizes are in bytes as sent, without the frame; those of a request stream are not counted.
    """

    async def intercept(self, call: Call, request: Any, context: Context, proceed: Proceed) -> Any:
        started = time.perf_counter()
        counting = CountingContext(context)
        error: BaseException | None = None
        try:
            response = await proceed(request, counting)
            counting.count(response)
            return response
        except BaseException as raised:
            error = raised
            raise
        finally:
            log = _log.debug if call.service == HEALTH_SERVICE else _log.info
            log("rpc", **_facts(call, request, counting, error, started))


class CountingContext(ForwardingContext):
    """Counts what is written."""

    def __init__(self, inner: Context) -> None:
        super().__init__(inner)
        self.messages = 0
        self.bytes = 0

    def count(self, message: object) -> None:
        """Counts one response."""
        if isinstance(message, bytes):
            self.messages += 1
            self.bytes += len(message)

    async def write(self, message: Any) -> None:
        await self._inner.write(message)
        self.count(message)


def _facts(
    call: Call,
    request: object,
    counting: CountingContext,
    error: BaseException | None,
    started: float,
) -> dict[str, object]:
    facts: dict[str, object] = {
        "method": call.method,
        "code": final_code(counting, error).name,
        "duration_ms": round((time.perf_counter() - started) * 1000, 3),
        "correlation_id": current_request().correlation_id,
        "response_bytes": counting.bytes,
    }
    if isinstance(request, bytes):
        facts["request_bytes"] = len(request)
    if call.streams_responses:
        facts["response_messages"] = counting.messages
    if caller := caller_or_none():
        facts["project_id"] = caller.project_id
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        facts["trace_id"] = trace.format_trace_id(span.trace_id)
    return facts
