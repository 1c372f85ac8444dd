"""Whether and as whom this process sends to an OpenTelemetry collector.

The standard environment variables decide: OTEL_EXPORTER_OTLP_ENDPOINT (or the one of the signal) or
OTEL_<SIGNAL>_EXPORTER=otlp turn a signal on, OTEL_SDK_DISABLED or OTEL_<SIGNAL>_EXPORTER=none turn
it off.
https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from functools import cache
from typing import Final
from uuid import uuid4

from opentelemetry.sdk.resources import OTELResourceDetector, Resource

SERVICE_NAME: Final = "memoir"
FAREWELL_SECONDS: Final = 5.0
"""How long the end of the process waits for a collector, at most."""


class Signal(StrEnum):
    """What can be sent."""

    TRACES = "TRACES"
    METRICS = "METRICS"


def is_requested(signal: Signal, environment: Mapping[str, str]) -> bool:
    """Whether the environment asks for the signal to be sent."""
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
    """This process. The environment (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES) has its way."""
    own = Resource(
        {
            "service.name": SERVICE_NAME,
            "service.version": service_version,
            # Without it the metrics of two servers would be taken for those of one.
            "service.instance.id": _instance_id(),
        }
    )
    return Resource.create().merge(own).merge(OTELResourceDetector().detect())
