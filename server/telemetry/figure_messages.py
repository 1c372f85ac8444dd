"""Figures of a project as JSON, for the other workers of the server."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any, Final

from server.telemetry.figures import Durations, Figures, MethodFigures, ModelFigures, SlowCall
from server.telemetry.statistics import WindowFigures

_COUNTS: Final = ("added", "updated", "deleted", "cache_hits", "cache_misses")
_OF_MODELS: Final = ("calls", "failures", "read", "written")


def windows_json(windows: WindowFigures) -> dict[str, Any]:
    """The figures of all windows."""
    return {
        "last_minute": _figures_json(windows.last_minute),
        "last_hour": _figures_json(windows.last_hour),
        "since_start": _figures_json(windows.since_start),
    }


def windows_from(value: dict[str, Any]) -> WindowFigures:
    """What `windows_json` made of them."""
    return WindowFigures(
        last_minute=_figures(value["last_minute"]),
        last_hour=_figures(value["last_hour"]),
        since_start=_figures(value["since_start"]),
    )


def _figures_json(figures: Figures) -> dict[str, Any]:
    return {
        "methods": {
            name: [method.codes, method.durations.bins()]
            for name, method in figures.methods.items()
        },
        "stages": {name: stage.bins() for name, stage in figures.stages.items()},
        "models": {
            name: [[getattr(model, count) for count in _OF_MODELS], model.durations.bins()]
            for name, model in figures.models.items()
        },
        "arms": {name: [arm.runs, arm.skips] for name, arm in figures.arms.items()},
        "slowest": [
            [call.seconds, call.time.isoformat(), call.method, call.code, call.correlation_id]
            for call in figures.slowest
        ],
        "counts": [getattr(figures, count) for count in _COUNTS],
    }


def _figures(value: dict[str, Any]) -> Figures:
    figures = Figures(**dict(zip(_COUNTS, value["counts"], strict=True)))
    for name, (codes, durations) in value["methods"].items():
        figures.methods[name] = MethodFigures(Counter(codes), Durations.of_bins(durations))
    for name, durations in value["stages"].items():
        figures.stages[name] = Durations.of_bins(durations)
    for name, (counts, durations) in value["models"].items():
        counted = dict(zip(_OF_MODELS, counts, strict=True))
        figures.models[name] = ModelFigures(**counted, durations=Durations.of_bins(durations))
    for name, (runs, skips) in value["arms"].items():
        figures.arms[name].runs, figures.arms[name].skips = runs, skips
    figures.slowest = [
        SlowCall(seconds, datetime.fromisoformat(time), *rest)
        for seconds, time, *rest in value["slowest"]
    ]
    return figures
