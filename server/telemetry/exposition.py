"""Serving the metrics to Prometheus, on a port of their own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, start_http_server

from server.telemetry.metrics import BUILD, REGISTRY


@contextmanager
def serving_metrics(
    host: str, port: int, version: str, registry: CollectorRegistry = REGISTRY
) -> Iterator[int]:
    """Serves `GET /metrics` from a thread during the block; answers the port, which 0 leaves free.

    With `Accept: application/openmetrics-text` the answer carries exemplars with trace ids.

    Raises:
        OSError: the address cannot be listened on.
    """
    BUILD.labels(version).set(1)
    server, thread = start_http_server(port, addr=host, registry=registry)
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
