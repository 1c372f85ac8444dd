"""A server with Gemini models that exports its spans, with its logs and collector."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest_asyncio

from tests.support.collector import Collector
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import API_KEY
from tests.support.server import Client, Home, ServerProcess, connected, key_of


@dataclass(frozen=True)
class Traced:
    """The server, a client of it, its model endpoint and its collector."""

    server: ServerProcess
    client: Client
    gemini: GeminiEndpoint
    collector: Collector
    project: str

    @property
    def lines(self) -> list[dict[str, Any]]:
        """The lines of its log."""
        return [json.loads(line) for line in self.server.log.splitlines()]


@pytest_asyncio.fixture
async def traced(home: Home, gemini: GeminiEndpoint, collector: Collector) -> AsyncIterator[Traced]:
    """A traced server for one test."""
    server = home.server(
        MEMOIR_MODELS="gemini",
        GEMINI_API_KEY=API_KEY,
        MEMOIR_GEMINI_BASE_URL=gemini.base_url,
        MEMOIR_LOG_LEVEL="debug",
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint,
        OTEL_BSP_SCHEDULE_DELAY="100",
        OTEL_METRIC_EXPORT_INTERVAL="100",
        OTEL_TRACES_SAMPLER="parentbased_always_on",
    )
    await server.start()
    async with connected(server.address, await key_of(home)) as client:
        yield Traced(server, client, gemini, collector, home.project)
    await server.stop()
