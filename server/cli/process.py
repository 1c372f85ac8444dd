"""What every serving process does, whether it is the only one or one of several."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from opentelemetry.sdk.trace import TracerProvider

from server import failpoints
from server.settings import LogFormat, Settings, SettingsFault
from server.telemetry.logging import configure_logging
from server.telemetry.metric_export import configure_metric_export, shutdown_metric_export
from server.telemetry.metrics import BUILD
from server.telemetry.tracing import configure_tracing, shutdown_tracing


def prepare_logging(settings: Settings) -> None:
    """Logs as the settings say: for people on a terminal, else for machines."""
    telemetry = settings.telemetry
    chosen = telemetry.format
    if chosen is None:
        chosen = LogFormat.CONSOLE if sys.stderr.isatty() else LogFormat.JSON
    configure_logging(chosen.value, telemetry.level, with_content=telemetry.content)


def arm_failpoints(settings: Settings) -> None:
    """Arms what the settings name.

    Raises:
        SettingsFault: there is no such failpoint.
    """
    try:
        failpoints.arm(failpoints.parse(settings.failpoints.failpoints))
    except ValueError as error:
        raise SettingsFault(f"MEMOIR_FAILPOINTS: {error}") from error


@asynccontextmanager
async def sending_telemetry(version: str) -> AsyncIterator[TracerProvider | None]:
    """Sends spans and metrics to a collector during the block, if the environment asks for it.

    Whoever reads the metrics learns the version of the process from them.
    """
    BUILD.labels(version).set(1)
    tracer_provider = configure_tracing(version)
    metric_sender = configure_metric_export(version)
    try:
        yield tracer_provider
    finally:
        await asyncio.gather(
            asyncio.to_thread(shutdown_tracing, tracer_provider),
            asyncio.to_thread(shutdown_metric_export, metric_sender),
        )
