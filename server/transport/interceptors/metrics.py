"""Counts and times every call, for the process and for its project."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from server.domain.request_context import current_request
from server.telemetry.figures import EndedCall
from server.telemetry.recording import record_rpc
from server.telemetry.statistics import Statistics
from server.telemetry.tally import begin_tally
from server.transport.current_caller import project_or_none
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method
from server.transport.interceptors.outcome import final_code
from server.transport.method_classes import MethodClass, method_class

_UNKNOWN = "unknown"


class MetricsInterceptor(CallInterceptor):
    """Records how calls end. A call counts for its project; if it got no further, for its key's."""

    def __init__(self, statistics: Statistics, now: Callable[[], datetime]) -> None:
        self._statistics = statistics
        self._now = now

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        tally = begin_tally()
        began = time.perf_counter()
        error: BaseException | None = None
        try:
            return await proceed(request, context)
        except BaseException as raised:
            error = raised
            raise
        finally:
            seconds = time.perf_counter() - began
            code = final_code(context, error).name
            name = method.name if method.exists else _UNKNOWN
            record_rpc(name, code, seconds)
            if project_id := project_or_none():
                ended = EndedCall(
                    name,
                    code,
                    seconds,
                    self._now(),
                    current_request().correlation_id,
                    waits=_waits(method),
                )
                self._statistics.record(project_id, tally, ended)


def _waits(method: Method) -> bool:
    streams = method.streams_requests or method.streams_responses
    return method_class(method.name, streams=streams) is MethodClass.STREAM
