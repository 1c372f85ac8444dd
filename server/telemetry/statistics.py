"""Figures of each project for the last minute, the last hour and since the server started."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from dataclasses import fields as dataclass_fields
from datetime import datetime
from typing import Any, Final

from cachetools import LRUCache

from server.telemetry.figures import Durations, EndedCall, Figures, MethodFigures, ModelFigures
from server.telemetry.tally import Counts, Tally

MINUTE_SECONDS: Final = 60.0
HOUR_SECONDS: Final = 3600.0
SLOT_SECONDS: Final = 5.0
"""The step of the last minute, in seconds; the last hour has steps of twelve times that."""

_LONG_SLOT_SECONDS: Final = 60.0
MOST_PROJECTS: Final = 200
"""The maximum number of projects; the least recently active one is dropped."""


@dataclass(frozen=True, slots=True)
class WindowFigures:
    """The figures of a project at one moment."""

    last_minute: Figures
    last_hour: Figures
    since_start: Figures


@dataclass(slots=True)
class _Slot:
    """The figures from `begin` on, on the clock of `time.monotonic()`."""

    begin: float
    figures: Figures = field(default_factory=Figures)


@dataclass(frozen=True, slots=True)
class _Sums:
    """The finished slots of the last minute and hour, merged; `slots` identifies them."""

    slots: tuple[float, ...] = ()
    minute: Figures = field(default_factory=Figures)
    hour: Figures = field(default_factory=Figures)


class ProjectWindows:
    """One project. Only the newest slot is written to; it is merged into others when it ends."""

    def __init__(self) -> None:
        self._short: deque[_Slot] = deque()
        self._long: deque[_Slot] = deque()
        self._total = Figures()
        self._ended = _Sums()

    def current(self, now: float) -> Figures:
        """Returns the slot that is written to now."""
        if not self._short or now - self._short[-1].begin >= SLOT_SECONDS:
            self._begin(now)
        return self._short[-1].figures

    def figures(self, now: float) -> WindowFigures:
        """Returns all windows. Finished slots are merged once for each new slot."""
        *short, newest = self._short or [_Slot(now)]
        short, long = _within(short, now - MINUTE_SECONDS), _within(self._long, now - HOUR_SECONDS)
        slots = (newest.begin, len(short), *(slot.begin for slot in (*short, *long)))
        if self._ended.slots != slots:
            self._ended = _Sums(slots, _sum(short), _sum(long))
        return WindowFigures(
            last_minute=_sum(
                [_Slot(0, self._ended.minute), *_within([newest], now - MINUTE_SECONDS)]
            ),
            last_hour=_sum([_Slot(0, self._ended.hour), *_within([newest], now - HOUR_SECONDS)]),
            since_start=_sum([_Slot(0, self._total), newest]),
        )

    def _begin(self, now: float) -> None:
        if self._short:
            self._merge(self._short[-1])
        self._short.append(_Slot(now))
        while now - self._short[0].begin > MINUTE_SECONDS:
            self._short.popleft()
        while self._long and now - self._long[0].begin > HOUR_SECONDS:
            self._long.popleft()

    def _merge(self, ended: _Slot) -> None:
        if not self._long or ended.begin - self._long[-1].begin >= _LONG_SLOT_SECONDS:
            self._long.append(_Slot(ended.begin))
        self._long[-1].figures.merge(ended.figures)
        self._total.merge(ended.figures)


class Statistics:
    """The projects that called recently, at most `most_projects`, in one process."""

    def __init__(
        self,
        most_projects: int = MOST_PROJECTS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._projects: LRUCache[str, ProjectWindows] = LRUCache(most_projects)

    def record(self, project_id: str, tally: Tally, call: EndedCall | None = None) -> None:
        """Adds work done for a project, by a call or after it."""
        figures = self._windows(project_id).current(self._monotonic())
        figures.add_tally(tally)
        if call is not None:
            figures.add_call(call)

    def figures(self, project_id: str) -> WindowFigures:
        """Returns the figures of a project; all zero if it has not called."""
        windows = self._projects.get(project_id, ProjectWindows())
        return windows.figures(self._monotonic())

    def _windows(self, project_id: str) -> ProjectWindows:
        windows = self._projects.get(project_id)
        if windows is None:
            windows = self._projects[project_id] = ProjectWindows()
        return windows


def joined_windows(processes: Iterable[WindowFigures]) -> WindowFigures:
    """Joins the figures of several processes."""
    total = WindowFigures(Figures(), Figures(), Figures())
    for windows in processes:
        total.last_minute.merge(windows.last_minute)
        total.last_hour.merge(windows.last_hour)
        total.since_start.merge(windows.since_start)
    return total


def _within(slots: Iterable[_Slot], begin: float) -> list[_Slot]:
    return [slot for slot in slots if slot.begin >= begin]


def _sum(slots: Iterable[_Slot]) -> Figures:
    total = Figures()
    for slot in slots:
        total.merge(slot.figures)
    return total


_COUNTS: Final = tuple(count.name for count in dataclass_fields(Counts))
_OF_MODELS: Final = ("calls", "failures", "read", "written")


def windows_json(windows: WindowFigures) -> dict[str, Any]:
    """Returns the figures of all windows as JSON."""
    return {
        "last_minute": _figures_json(windows.last_minute),
        "last_hour": _figures_json(windows.last_hour),
        "since_start": _figures_json(windows.since_start),
    }


def windows_from(value: dict[str, Any]) -> WindowFigures:
    """Reads the output of `windows_json`."""
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
        EndedCall(seconds, datetime.fromisoformat(time), *rest)
        for seconds, time, *rest in value["slowest"]
    ]
    return figures
