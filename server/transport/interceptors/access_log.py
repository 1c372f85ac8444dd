"""One log event a call."""

from __future__ import annotations

import time
from typing import Any

import structlog
from opentelemetry import trace

from server.domain.request_context import current_request
from server.telemetry.tally import current_tally
from server.transport.current_caller import project_or_none
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method
from server.transport.interceptors.outcome import final_code

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("server.rpc")


class AccessLogInterceptor(CallInterceptor):
    """Logs every call as the event `rpc`, those of health and reflection at debug.

    Sizes are in bytes as sent, without the frame; those of a request stream are not counted.
    """

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        started = time.perf_counter()
        response: Any = None
        error: BaseException | None = None
        try:
            response = await proceed(request, context)
            return response
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - started
            log = _log.debug if method.is_public else _log.info
            log("rpc", **_facts(method, request, response, context, error, seconds))


def _facts(
    method: Method,
    request: object,
    response: object,
    context: CallContext,
    error: BaseException | None,
    seconds: float,
) -> dict[str, object]:
    answered = len(response) if isinstance(response, bytes) else 0
    facts: dict[str, object] = {
        "method": method.name,
        "code": final_code(context, error).name,
        "duration_ms": round(seconds * 1000, 3),
        "correlation_id": current_request().correlation_id,
        "response_bytes": context.bytes_written + answered,
    }
    if isinstance(request, bytes):
        facts["request_bytes"] = len(request)
    if method.streams_responses:
        facts["response_messages"] = context.messages_written
    if project_id := project_or_none():
        facts["project_id"] = project_id
    if (tally := current_tally()) and tally.model_calls:
        facts["model_calls"] = len(tally.model_calls)
        facts["model_ms"] = round(sum(call.seconds for call in tally.model_calls) * 1000, 3)
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        facts["trace_id"] = trace.format_trace_id(span.trace_id)
    return facts
