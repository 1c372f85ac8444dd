"""Sends spans to an OpenTelemetry collector, if one is configured.

The standard environment variables configure it: OTEL_EXPORTER_OTLP_ENDPOINT (or the endpoint of the
signal) or OTEL_<SIGNAL>_EXPORTER=otlp turn a signal on, OTEL_SDK_DISABLED or
OTEL_<SIGNAL>_EXPORTER=none turn it off.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

OTEL_TRACES_SAMPLER selects which calls are traced; the default is `AtMost`.
"""

from __future__ import annotations

import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from threading import Thread
from typing import Final
from uuid import uuid4

import structlog
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.environment_variables import OTEL_TRACES_SAMPLER
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes

from server.telemetry.spans import CORRELATION_ATTRIBUTE, CORRELATIONS_ATTRIBUTE

SERVICE_NAME: Final = "memoir"
LAST_CALLS_SECONDS: Final = 5.0
"""How long the process waits at most for a collector when it ends."""


class Signal(StrEnum):
    """The kinds of telemetry that can be sent."""

    TRACES = "TRACES"
    METRICS = "METRICS"


def is_requested(signal: Signal, environment: Mapping[str, str]) -> bool:
    """Whether the environment turns the signal on."""
    if environment.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return False
    named = environment.get(f"OTEL_{signal}_EXPORTER", "")
    exporters = {name.strip() for name in named.split(",")} - {""}
    if "none" in exporters:
        return False
    if "otlp" in exporters:
        return True
    endpoints = (f"OTEL_EXPORTER_OTLP_{signal}_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    return any(environment.get(name) for name in endpoints)


@cache
def _instance_id() -> str:
    return str(uuid4())


def resource(service_version: str) -> Resource:
    """Describes this process. OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES take precedence."""
    own = Resource(
        {
            "service.name": SERVICE_NAME,
            "service.version": service_version,
            # Without it the metrics of two servers would look like those of a single server.
            "service.instance.id": _instance_id(),
        }
    )
    return Resource.create().merge(own).merge(OTELResourceDetector().detect())


class ChoosingSampler(Sampler):
    """Leaves the decision on each span to another sampler."""

    @abstractmethod
    def choose(self, parent_context: Context | None, links: Sequence[Link] | None) -> Sampler:
        """Returns the sampler that decides on a span with this parent and these links."""

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See the SDK."""
        return self.choose(parent_context, links).should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )


class FollowLinks(ChoosingSampler):
    """Samples a trace that links to a sampled trace, so that all work of a request is traced.

    For other traces, the sampler in OTEL_TRACES_SAMPLER decides.
    """

    def __init__(self, root: Sampler) -> None:
        self._root = root

    def choose(self, parent_context: Context | None, links: Sequence[Link] | None) -> Sampler:
        return ALWAYS_ON if _is_kept(parent_context, links) else self._root

    def get_description(self) -> str:
        """See the SDK."""
        return f"FollowLinks{{{self._root.get_description()}}}"


class AtMost(ChoosingSampler):
    """Samples up to `rate` new traces a second, with a burst of the same size.

    So manual tests are always traced, and the cost of tracing does not grow with the load. It is a
    token bucket that ignores trace ids, so samplers of other services choose other traces.
    """

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._left = rate
        self._filled = monotonic()

    def choose(self, parent_context: Context | None, links: Sequence[Link] | None) -> Sampler:
        del parent_context, links
        return ALWAYS_ON if self._take() else ALWAYS_OFF

    def get_description(self) -> str:
        """See the SDK."""
        return f"AtMost{{{self._rate:g}/s}}"

    def _take(self) -> bool:
        now = self._monotonic()
        self._left = min(self._rate, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def _is_kept(parent_context: Context | None, links: Sequence[Link] | None) -> bool:
    """Whether the span belongs or links to a sampled trace."""
    parent = trace.get_current_span(parent_context).get_span_context()
    if parent.is_valid:
        return parent.trace_flags.sampled and not parent.is_remote
    return any(link.context.trace_flags.sampled for link in links or ())


DEFAULT_TRACES_PER_SECOND = 20.0


def configure_tracing(service_version: str) -> TracerProvider | None:
    """Starts sending spans if the environment configures it; returns the provider, else None."""
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
        sending.join(LAST_CALLS_SECONDS)


def build_provider(service_version: str, exporter: SpanExporter) -> TracerProvider:
    """Returns a provider that sends in the background and drops spans when its queue is full.

    OTEL_BSP_* set the size of the queue (2,048 by default) and how spans are sent.
    """
    provider = TracerProvider(_default_sampler(), resource(service_version), shutdown_on_exit=False)
    # Before any tracer is created, because a tracer keeps its sampler.
    provider.sampler = FollowLinks(provider.sampler)
    provider.add_span_processor(CorrelationProcessor())
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _default_sampler() -> Sampler | None:
    """The sampler used by default: tracing every call of a busy server would cost too much."""
    if os.environ.get(OTEL_TRACES_SAMPLER):
        return None
    return ParentBased(AtMost(DEFAULT_TRACES_PER_SECOND))


class CorrelationProcessor(SpanProcessor):
    """Sets the correlation id of the call on every span, including those of libraries.

    Spans of work for several calls get all of their ids.
    """

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by the SDK."""
        del parent_context
        bound = structlog.contextvars.get_contextvars()
        if (correlation_id := bound.get("correlation_id")) is not None:
            span.set_attribute(CORRELATION_ATTRIBUTE, correlation_id)
        elif (correlation_ids := bound.get("correlation_ids")) is not None:
            span.set_attribute(CORRELATIONS_ATTRIBUTE, correlation_ids)
