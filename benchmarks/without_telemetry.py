"""The server without its telemetry: nothing is recorded or logged per call. For comparisons.

python -m benchmarks.without_telemetry serve
"""

# ruff: noqa: PLC0415 - modules import recording functions by name, so these are replaced first

from __future__ import annotations

from contextlib import nullcontext

from prometheus_client import Counter, Gauge, Histogram

from server.telemetry import recording


def main() -> None:
    """Replaces the recording functions by empty ones, then runs the server's command line."""
    for name in (
        "record_tokens",
        "record_search_arm",
        "record_changes",
        "record_cache_read",
        "record_rpc",
    ):
        setattr(recording, name, _nothing)
    for name in ("stage", "model_call"):
        setattr(recording, name, _nothing_around)
    for kind, method in ((Counter, "inc"), (Gauge, "set"), (Histogram, "observe")):
        setattr(kind, method, _nothing)
    _record_no_calls()

    from server.__main__ import main as run

    run()


def _record_no_calls() -> None:
    from server.api.grpc.interceptors import observation
    from server.telemetry.statistics import Statistics

    setattr(Statistics, "record", _nothing)  # noqa: B010 - mypy refuses an assignment
    setattr(observation, "_log_call", _nothing)  # noqa: B010 - as above


def _nothing(*_values: object, **_named: object) -> None:
    pass


def _nothing_around(*_values: object, **_named: object) -> nullcontext[None]:
    return nullcontext()


if __name__ == "__main__":
    main()
