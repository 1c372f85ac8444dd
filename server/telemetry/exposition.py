"""Serves metrics to Prometheus: of this process, or of several processes joined."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from threading import Thread
from typing import Any, Final, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import Exemplar, Metric
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample, Timestamp

from server.telemetry.metrics import BUILD, JOINED_BY, REGISTRY

Family: TypeAlias = dict[str, Any]
"""A metric as JSON: its name, documentation, type and samples."""

Snapshot: TypeAlias = tuple[int, list[Family]]
"""The id of a process, and its metrics."""

_COUNTED: Final = frozenset({"counter", "histogram"})
_JOINS: Final[Mapping[str, Callable[[float, float], float]]] = {
    "sum": lambda a, b: a + b,
    "max": max,
    "min": min,
}


def families_of(registry: CollectorRegistry) -> list[Family]:
    """Returns all metrics of this process as JSON."""
    return [
        {
            "name": metric.name,
            "documentation": metric.documentation,
            "type": metric.type,
            "samples": [
                [sample.name, sample.labels, sample.value, _exemplar_json(sample.exemplar)]
                for sample in metric.samples
            ],
        }
        for metric in registry.collect()
    ]


class JoinedMetrics(Collector):
    """The metrics of all workers, each series once.

    Counters are summed and include the counts of workers that have died, so that no sum decreases.
    Gauges are joined as they declare. A worker that does not respond counts with its last metrics.
    """

    def __init__(self, ask: Callable[[], Iterable[Snapshot | None]]) -> None:
        """`ask` returns the metrics of all workers in a fixed order, None without a response."""
        self._ask = ask
        self._last: dict[int, Snapshot] = {}
        self._dead_workers: list[list[Family]] = []

    def collect(self) -> Iterator[Metric]:
        """See prometheus_client."""
        for place, snapshot in enumerate(self._ask()):
            if snapshot is None:
                continue
            before = self._last.get(place)
            if before is not None and before[0] != snapshot[0]:
                self._retire(before[1])
            self._last[place] = snapshot
        living = [families for _, families in self._last.values()]
        return _metrics(_joined([*self._dead_workers, *living]))

    def _retire(self, families: list[Family]) -> None:
        counted = [family for family in families if family["type"] in _COUNTED]
        # A single sum for all workers that died.
        self._dead_workers = [_joined([*self._dead_workers, counted])]


def _joined(workers: Iterable[list[Family]]) -> list[Family]:
    families: dict[str, Family] = {}
    series: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], list[Any]]] = {}
    for family in (family for worker in workers for family in worker):
        name = family["name"]
        families.setdefault(name, family)
        join = _JOINS[JOINED_BY.get(name, "sum")]
        known = series.setdefault(name, {})
        for sample, labels, value, exemplar in family["samples"]:
            key = sample, tuple(sorted(labels.items()))
            if (found := known.get(key)) is None:
                known[key] = [sample, labels, value, exemplar]
                continue
            found[2] = (
                min(found[2], value) if sample.endswith("_created") else join(found[2], value)
            )
            found[3] = exemplar or found[3]
    return [family | {"samples": list(series[name].values())} for name, family in families.items()]


def _metrics(families: Iterable[Family]) -> Iterator[Metric]:
    for family in families:
        metric = Metric(family["name"], family["documentation"], family["type"])
        metric.samples = [
            Sample(name, labels, value, exemplar=_exemplar(exemplar))
            for name, labels, value, exemplar in family["samples"]
        ]
        yield metric


def _exemplar_json(exemplar: Exemplar | None) -> list[Any] | None:
    if exemplar is None:
        return None
    time = exemplar.timestamp
    return [exemplar.labels, exemplar.value, float(time) if time is not None else None]


def _exemplar(parts: list[Any] | None) -> Exemplar | None:
    if parts is None:
        return None
    labels, value, time = parts
    return Exemplar(labels, value, Timestamp(time, 0) if time is not None else None)


class _Handler(WSGIRequestHandler):
    timeout = 10

    def log_message(self, *_arguments: object) -> None:
        """Logs nothing, because Prometheus scrapes every few seconds."""


class _Server(ThreadingMixIn, WSGIServer):
    """Serves each connection in a thread, with TLS if there is a context for it."""

    daemon_threads = True

    def __init__(self, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        self.address_family, _, _, _, address = found[0]
        super().__init__((str(address[0]), port), _Handler)
        if tls is not None:
            # The handshake happens at the first read, in the thread of the connection; here it
            # would block all others.
            self.socket = tls.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )

    def handle_error(self, _request: object, _address: object) -> None:
        """Ignores clients that disconnect, and failed handshakes."""


@contextmanager
def serving_metrics(
    host: str,
    port: int,
    version: str,
    registry: CollectorRegistry = REGISTRY,
    tls: ssl.SSLContext | None = None,
) -> Iterator[int]:
    """Serves `GET /metrics` from a thread during the block; yields the port; 0 picks a free one.

    With `Accept: application/openmetrics-text` the response has exemplars with trace ids. Without
    `tls` nothing is encrypted.

    Raises:
        OSError: the port is taken, or the host is not an address of this machine.
    """
    BUILD.labels(version).set(1)
    try:
        server = _Server(host, port, tls)
    except OSError as error:
        message = f"cannot listen on {host}:{port}; set MEMOIR_METRICS_PORT to a free port"
        raise OSError(message) from error
    server.set_app(make_wsgi_app(registry))
    thread = Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
