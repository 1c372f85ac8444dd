"""Assembles all interceptors in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeAlias

import grpc
from opentelemetry.trace import TracerProvider

from server.api.grpc.admission import Admission
from server.api.grpc.interceptors.access import AuthorizationInterceptor, Authorize
from server.api.grpc.interceptors.context import (
    CallContext,
    CallInterceptor,
    Context,
    Handler,
    Proceed,
    describe,
)
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.interceptors.entry import (
    Authenticate,
    Deadlines,
    EntryInterceptor,
    RateLimiter,
    rate_limited,
)
from server.api.grpc.interceptors.handlers import (
    DecodingInterceptor,
    Now,
    ValidationInterceptor,
    behavior_of,
    raw_handler,
    run,
    unknown_method,
)
from server.api.grpc.interceptors.observation import ObservationInterceptor, TracingInterceptor
from server.api.grpc.status import ErrorsInterceptor
from server.api.grpc.validation import check, check_large
from server.projects.quotas import ProjectQuotas
from server.telemetry.statistics import Statistics

Continuation: TypeAlias = Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]]


def build_interceptors(
    *,
    gate: DrainGate,
    admission: Admission,
    rate_limiter: RateLimiter,
    authenticate: Authenticate,
    authorize: Authorize,
    now: Now,
    statistics: Statistics,
    default_timeout_seconds: float,
    timeout_seconds_by_method: Mapping[str, float] | None = None,
    tracer_provider: TracerProvider | None = None,
    quotas: ProjectQuotas | None = None,
) -> list[grpc.aio.ServerInterceptor]:
    """Returns the interceptors of the server, outermost first.

    `timeout_seconds_by_method` maps `package.Service/Method` to the default deadline of its calls.
    Without a `tracer_provider` no spans are created; without `quotas` projects have none.
    """
    deadlines = Deadlines(default_timeout_seconds, timeout_seconds_by_method or {})
    interceptors: list[CallInterceptor] = [
        ObservationInterceptor(statistics, now),
        ErrorsInterceptor(),
        EntryInterceptor(gate, deadlines, authenticate, admission, rate_limiter),
        DecodingInterceptor(),
        ValidationInterceptor(check, check_large, now),
        AuthorizationInterceptor(rate_limited(authorize, rate_limiter), quotas),
    ]
    if tracer_provider is not None:
        interceptors.insert(0, TracingInterceptor(tracer_provider.get_tracer(__name__)))
    return [InterceptorChain(interceptors)]


class InterceptorChain(grpc.aio.ServerInterceptor):
    """Runs interceptors around every call, the first of them outermost.

    The chain of a handler is built at its first call and cached, because building it for every call
    would cost more than the interceptors themselves.
    """

    def __init__(self, interceptors: Sequence[CallInterceptor]) -> None:
        self.interceptors = tuple(interceptors)
        self._intercepted: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self, continuation: Continuation, handler_call_details: grpc.HandlerCallDetails
    ) -> Handler:
        path = handler_call_details.method
        handler = await continuation(handler_call_details)
        if handler is None:
            # Not cached, because clients can invent any number of names.
            return self._intercept(path, unknown_method(path), exists=False)
        known, intercepted = self._intercepted.get(path, (None, handler))
        if known is not handler:
            intercepted = self._intercept(path, handler)
            self._intercepted[path] = handler, intercepted
        return intercepted

    def _intercept(self, path: str, handler: Handler, *, exists: bool = True) -> Handler:
        method = describe(path, handler, exists=exists)
        proceed: Proceed = partial(run, behavior_of(handler))
        for interceptor in reversed(self.interceptors):
            proceed = partial(interceptor.intercept, method, proceed=proceed)
        outermost = proceed

        async def behavior(request: Any, context: Context) -> Any:
            return await outermost(request, CallContext(context, method.codec))

        return raw_handler(handler, behavior)
