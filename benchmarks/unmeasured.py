"""The server without its telemetry: nothing recorded, no line a call. Only for comparison.

python -m benchmarks.unmeasured serve
"""

# ruff: noqa: PLC0415 - modules import what records by name, so it is replaced before they do

from __future__ import annotations

from contextlib import nullcontext

from prometheus_client import Counter, Gauge, Histogram

from server.telemetry import recording


def main() -> None:
    """Puts nothing in the place of what records, then runs the server's command line."""
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

    from server.cli.main import main as run

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
