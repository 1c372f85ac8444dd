"""The server without its telemetry: nothing recorded, no line a call. Only for comparison.

python -m benchmarks.unmeasured serve
"""

# ruff: noqa: PLC0415 - modules import what records by name, so it is replaced before they do

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from typing import Any

from prometheus_client import Counter, Gauge, Histogram

from server.telemetry import recording


def main() -> None:
    """Puts nothing in the place of what records, then runs the server's command line."""
    for name in ("record_tokens", "record_search_arm", "record_changes", "record_cache_read"):
        setattr(recording, name, _nothing)
    for name in ("stage", "model_call"):
        setattr(recording, name, _nothing_around)
    for kind, method in ((Counter, "inc"), (Gauge, "set"), (Histogram, "observe")):
        setattr(kind, method, _nothing)
    _take_out_interceptors()

    from server.cli.main import main as run

    run()


def _take_out_interceptors() -> None:
    from server.transport.interceptors.access_log import AccessLogInterceptor
    from server.transport.interceptors.metrics import MetricsInterceptor

    for interceptor in (MetricsInterceptor, AccessLogInterceptor):
        setattr(interceptor, "intercept", _pass_on)  # noqa: B010 - mypy refuses an assignment


def _nothing(*_values: object, **_named: object) -> None:
    pass


def _nothing_around(*_values: object, **_named: object) -> nullcontext[None]:
    return nullcontext()


def _pass_on(
    _self: object,
    _method: object,
    request: Any,
    context: Any,
    proceed: Callable[[Any, Any], Awaitable[Any]],
) -> Awaitable[Any]:
    return proceed(request, context)


if __name__ == "__main__":
    main()
