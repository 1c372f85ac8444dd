"""All interceptors in their order."""

from __future__ import annotations

from collections.abc import Mapping

import grpc
from opentelemetry.trace import TracerProvider

from server.transport.interceptors.access_log import AccessLogInterceptor
from server.transport.interceptors.authentication import Authenticate, AuthenticationInterceptor
from server.transport.interceptors.authorization import AuthorizationInterceptor, Authorize
from server.transport.interceptors.correlation import CorrelationInterceptor
from server.transport.interceptors.deadline import DeadlineInterceptor
from server.transport.interceptors.decoding import DecodingInterceptor
from server.transport.interceptors.errors import ErrorsInterceptor
from server.transport.interceptors.offering import OfferingInterceptor
from server.transport.interceptors.span import SpanInterceptor
from server.transport.interceptors.stream_bridge import StreamBridgeInterceptor
from server.transport.interceptors.tracing import tracing_interceptor
from server.transport.interceptors.unknown_method import UnknownMethodInterceptor
from server.transport.interceptors.validation import Now, ValidationInterceptor
from server.transport.validation import check


def build_interceptors(
    *,
    authenticate: Authenticate,
    authorize: Authorize,
    now: Now,
    default_timeout_seconds: float,
    timeout_seconds_by_method: Mapping[str, float] | None = None,
    tracer_provider: TracerProvider | None = None,
) -> list[grpc.aio.ServerInterceptor]:
    """The interceptors of the server, outermost first.

    `timeout_seconds_by_method` maps `package.Service/Method` to the bound of a call whose client
    sets no deadline. Without a `tracer_provider` no spans are made.
    """
    tracing = [tracing_interceptor(tracer_provider)] if tracer_provider else []
    return [
        *tracing,
        StreamBridgeInterceptor(),
        CorrelationInterceptor(),
        SpanInterceptor(),
        AccessLogInterceptor(),
        ErrorsInterceptor(),
        DeadlineInterceptor(default_timeout_seconds, timeout_seconds_by_method or {}),
        AuthenticationInterceptor(authenticate),
        DecodingInterceptor(),
        ValidationInterceptor(check, now),
        OfferingInterceptor(),
        AuthorizationInterceptor(authorize),
        UnknownMethodInterceptor(),
    ]
