"""Sending spans to an OpenTelemetry collector, where one is configured.

Which calls are traced is OTEL_TRACES_SAMPLER's to say, with a default of our own.
"""

from __future__ import annotations

import os
from threading import Thread

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBased, Sampler

from server.telemetry.otlp import FAREWELL_SECONDS, Signal, is_requested, resource
from server.telemetry.sampling import AtMost, FollowLinks
from server.telemetry.spans import CORRELATION_ATTRIBUTE, CORRELATIONS_ATTRIBUTE

DEFAULT_TRACES_PER_SECOND = 20.0


def configure_tracing(service_version: str) -> TracerProvider | None:
    """Sends spans from now on if the environment asks for it; answers the provider, else None."""
    if not is_requested(Signal.TRACES, os.environ):
        return None
    provider = build_provider(service_version, OTLPSpanExporter())
    trace.set_tracer_provider(provider)
    return provider


def shutdown_tracing(provider: TracerProvider | None) -> None:
    """Sends what is queued and stops. Blocks for a few seconds at most, so call it in a thread.

    The SDK itself would wait half a minute for a collector that does not answer.
    """
    if provider is not None:
        sending = Thread(target=provider.shutdown, name="span shutdown", daemon=True)
        sending.start()
        sending.join(FAREWELL_SECONDS)


def build_provider(service_version: str, exporter: SpanExporter) -> TracerProvider:
    """A provider that sends in the background and drops spans rather than grow without bound.

    How many wait, and how they are sent, is set by OTEL_BSP_* (2,048 unless it says otherwise).
    """
    provider = TracerProvider(_default_sampler(), resource(service_version), shutdown_on_exit=False)
    # Before any tracer is made, which keeps the sampler that it finds.
    provider.sampler = FollowLinks(provider.sampler)
    provider.add_span_processor(CorrelationProcessor())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _default_sampler() -> Sampler | None:
    """What is kept unless the environment says it: tracing all of a busy server costs too much."""
    if os.environ.get(OTEL_TRACES_SAMPLER):
        return None
    return ParentBased(AtMost(DEFAULT_TRACES_PER_SECOND))


class CorrelationProcessor(SpanProcessor):
    """Puts the correlation id of the call on every span, those of libraries too.

    On those of work for several calls it puts theirs.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by the SDK."""
        del parent_context
        bound = structlog.contextvars.get_contextvars()
        if (correlation_id := bound.get("correlation_id")) is not None:
            span.set_attribute(CORRELATION_ATTRIBUTE, correlation_id)
        elif (correlation_ids := bound.get("correlation_ids")) is not None:
            span.set_attribute(CORRELATIONS_ATTRIBUTE, correlation_ids)
