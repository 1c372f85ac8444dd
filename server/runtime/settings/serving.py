"""Settings for how the server serves: limits, ports, processes and telemetry."""

from __future__ import annotations

import math
import os
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from server.api.grpc.admission import AdmissionLimits
from server.api.limits import GrpcLimits, HttpLimits
from server.runtime.settings.dependencies import reading


class AdmissionSettings(AdmissionLimits, BaseSettings):
    """Limits on the work of all projects, and on the calls of each."""

    model_config = reading("MEMOIR_ADMISSION_")

    project_rate: float = Field(
        default=0.0, ge=0, description="Calls per second of one project; 0 means no limit."
    )
    project_burst: int = Field(
        default=100, ge=1, description="Calls that a project may send at once above its rate."
    )


class FailpointSettings(BaseSettings):
    """For tests only: both must be set to have any effect."""

    model_config = reading("MEMOIR_")

    failpoints: str = Field(
        default="",
        description="For tests of crashes: places where the process dies, as name:count.",
    )
    allow_failpoints: bool = Field(
        default=False, description="For tests of crashes: permits MEMOIR_FAILPOINTS."
    )


class GrpcSettings(GrpcLimits, BaseSettings):
    """Times are in seconds, sizes in bytes."""

    model_config = reading("MEMOIR_GRPC_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int = Field(
        default=50051, ge=0, le=65535, description="Port to listen on; 0 takes a free one."
    )
    reflection: bool | None = Field(
        default=None,
        description="Serve reflection. Default: only with the embedded PostgreSQL.",
    )
    default_deadline: float = Field(
        default=60.0, gt=0, description="Time for a call without a deadline."
    )
    drain_delay: float = Field(
        default=0.0,
        ge=0,
        description="Time between reporting not ready after SIGTERM and refusing new calls.",
    )
    drain_seconds: float = Field(
        default=20.0, ge=0, description="Time for accepted calls to finish after SIGTERM."
    )
    health_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Additional port without TLS that serves only health, for probes without TLS. "
        "Default: not served.",
    )


class TlsSettings(BaseSettings):
    """TLS of gRPC, HTTP, the web page and metrics. The files may change while the server runs."""

    model_config = reading("MEMOIR_TLS_")

    cert: Path | None = Field(
        default=None,
        description="PEM file of the certificate and its chain. Default: nothing is encrypted.",
    )
    key: Path | None = Field(default=None, description="PEM file of its private key.")
    client_ca: Path | None = Field(
        default=None,
        description="PEM file of the authorities that must have issued clients' certificates. "
        "Default: clients need no certificate.",
    )

    @property
    def http_scheme(self) -> str:
        """The scheme of the addresses at which HTTP is served."""
        return "http" if self.cert is None else "https"


class HttpSettings(HttpLimits, BaseSettings):
    """HTTP, for Mem0's clients and for plain JSON. Its users need an API key."""

    model_config = reading("MEMOIR_HTTP_")

    enabled: bool | None = Field(
        default=None,
        description="Serve HTTP. Default: with a port, or with the embedded PostgreSQL.",
    )
    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port to listen on; 0 takes a free one. Default: the port after gRPC's.",
    )


class MetricsSettings(BaseSettings):
    """Metrics for Prometheus to scrape."""

    model_config = reading("MEMOIR_METRICS_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of GET /metrics; 0 takes a free one. Default: not served.",
    )


class PageSettings(BaseSettings):
    """The web page, whose users need an API key."""

    model_config = reading("MEMOIR_PAGE_")

    host: str = Field(default="127.0.0.1", description="Address to listen on.")
    port: int | None = Field(
        default=None,
        ge=0,
        le=65535,
        description="Port of the web page; 0 takes a free one. Default: not served.",
    )
    names: str = Field(
        default="",
        description="Other host names under which browsers reach the page, separated by commas.",
    )


class LogFormat(StrEnum):
    """The format of log lines."""

    JSON = "json"
    CONSOLE = "console"


class TelemetrySettings(BaseSettings):
    """Settings of logs. The standard OTEL_* variables configure tracing."""

    model_config = reading("MEMOIR_LOG_")

    format: LogFormat | None = Field(
        default=None, description="json or console. Default: console on a terminal, else json."
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Lowest severity that is logged."
    )
    content: bool = Field(
        default=False,
        description="Also log the messages of exceptions, which may quote conversations.",
    )


MOST_WORKERS: Final = 256
_QUOTA_FILE: Final = Path("/sys/fs/cgroup/cpu.max")


def available_cores(quota_file: Path = _QUOTA_FILE) -> int:
    """Returns how many cores this process may use, by CPU affinity and its container's quota.

    https://docs.kernel.org/admin-guide/cgroup-v2.html#cpu-interface-files
    """
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = quota_file.read_text(encoding="ascii").split()
        return max(1, min(cores, math.ceil(int(quota) / int(period))))
    except (OSError, ValueError):
        # The file does not exist, or contains `max`.
        return cores


class WorkerSettings(BaseSettings):
    """Each process has its own event loop, connection pool and limits."""

    model_config = reading("MEMOIR_")

    workers: int | None = Field(
        default=None,
        ge=1,
        le=MOST_WORKERS,
        description="Serving processes behind the port. Default: one for each core, but one with "
        "the embedded PostgreSQL.",
    )
