"""The OpenTelemetry interceptor, kept away from the calls that it cannot handle."""

from __future__ import annotations

from collections.abc import Callable

import grpc
from opentelemetry.instrumentation.grpc import aio_server_interceptor
from opentelemetry.trace import TracerProvider

from server.transport.interceptors.method import PUBLIC_SERVICES


def tracing_interceptor(provider: TracerProvider) -> grpc.aio.ServerInterceptor:
    """Opens a server span for every call but those of health and reflection."""
    build: Callable[..., grpc.aio.ServerInterceptor] = aio_server_interceptor
    return build(tracer_provider=provider, filter_=is_traced)


def is_traced(details: grpc.HandlerCallDetails) -> bool:
    """Whether the call gets a span. A path that is not `/service/method` breaks the library."""
    service, slash, _ = details.method.lstrip("/").partition("/")
    return bool(slash) and service not in PUBLIC_SERVICES
