"""Figures of a project in a span of time, which can be merged."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ddsketch import LogCollapsingLowestDenseDDSketch
from ddsketch.pb.proto import DDSketchProto, KeyMappingProto

from server.telemetry.tally import Counts, Tally

RELATIVE_ACCURACY: Final = 0.01
SLOWEST: Final = 10
"""How many of the slowest calls are kept for each span of time."""

_MOST_BINS: Final = 1024
_MOST_NOTED: Final = 200


class Durations:
    """Quantiles of durations in seconds, each within 1 % of its value; can be merged.

    C. Masson, J. Rim, H. Lee, "DDSketch", VLDB 2019. https://arxiv.org/abs/1908.10693

    Durations are first collected, and added to the sketch when it is read or when there are many:
    collecting is a tenth of the work, and calls wait for nothing else.
    """

    __slots__ = ("_counted", "_noted")

    def __init__(self) -> None:
        self._counted = LogCollapsingLowestDenseDDSketch(RELATIVE_ACCURACY, _MOST_BINS)
        self._noted: list[float] = []

    def add(self, seconds: float) -> None:
        """Adds one."""
        self._noted.append(seconds)
        if len(self._noted) >= _MOST_NOTED:
            self._sketch()

    def _sketch(self) -> LogCollapsingLowestDenseDDSketch:
        """Returns the sketch with all durations."""
        noted, self._noted = self._noted, []
        for seconds in noted:
            self._counted.add(seconds)
        return self._counted

    def bins(self) -> list[tuple[float, float]]:
        """Returns durations with their counts, for `of_bins`."""
        message = DDSketchProto.to_proto(self._sketch())
        mapping = KeyMappingProto.from_proto(message.mapping)
        first = message.positiveValues.contiguousBinIndexOffset
        counts = message.positiveValues.contiguousBinCounts
        counted = [(mapping.value(first + i), count) for i, count in enumerate(counts) if count]
        return [(0.0, message.zeroCount), *counted] if message.zeroCount else counted

    @classmethod
    def of_bins(cls, bins: Iterable[tuple[float, float]]) -> Durations:
        """Returns the durations that `bins` describes."""
        durations = cls()
        for seconds, count in bins:
            durations._counted.add(seconds, count)
        return durations

    def merge(self, other: Durations) -> None:
        """Adds the durations of `other`."""
        self._sketch().merge(other._sketch())

    @property
    def count(self) -> int:
        """The number of durations."""
        return int(self._sketch().count)

    def quantile(self, fraction: float) -> float:
        """Returns the duration that this share of all did not exceed; 0 if there were none."""
        value = self._sketch().get_quantile_value(fraction)
        return 0.0 if value is None else float(value)


@dataclass(frozen=True, slots=True, order=True)
class EndedCall:
    """How a call ended; slower calls are greater.

    `waits` is true if the client decides how long the call lasts.
    """

    seconds: float
    time: datetime
    method: str
    code: str
    correlation_id: str
    waits: bool = field(default=False, compare=False)


@dataclass(slots=True)
class MethodFigures:
    """The calls of one method."""

    codes: Counter[str] = field(default_factory=Counter)
    durations: Durations = field(default_factory=Durations)


@dataclass(slots=True)
class ModelFigures:
    """The calls of one model."""

    calls: int = 0
    failures: int = 0
    read: int = 0
    written: int = 0
    durations: Durations = field(default_factory=Durations)


@dataclass(slots=True)
class ArmFigures:
    """One arm of the search."""

    runs: int = 0
    skips: int = 0


@dataclass(slots=True)
class Figures(Counts):
    """Counts and durations of one project in a span of time."""

    methods: defaultdict[str, MethodFigures] = field(
        default_factory=lambda: defaultdict(MethodFigures)
    )
    stages: defaultdict[str, Durations] = field(default_factory=lambda: defaultdict(Durations))
    models: defaultdict[str, ModelFigures] = field(
        default_factory=lambda: defaultdict(ModelFigures)
    )
    arms: defaultdict[str, ArmFigures] = field(default_factory=lambda: defaultdict(ArmFigures))
    slowest: list[EndedCall] = field(default_factory=list)

    def add_call(self, call: EndedCall) -> None:
        """Adds a call."""
        method = self.methods[call.method]
        method.codes[call.code] += 1
        if not call.waits:
            method.durations.add(call.seconds)
            self._keep_slowest([call])

    def add_tally(self, tally: Tally) -> None:
        """Adds the figures of a call."""
        for stage, seconds in tally.stages:
            self.stages[stage].add(seconds)
        for made in tally.model_calls:
            model = self.models[made.model]
            model.calls += 1
            model.failures += made.failed
            model.durations.add(made.seconds)
        for used in tally.tokens:
            self.models[used.model].read += used.read
            self.models[used.model].written += used.written
        for arm, ran in tally.arms:
            self.arms[arm].runs += ran
            self.arms[arm].skips += not ran
        self.add_counts(tally)

    def merge(self, other: Figures) -> None:
        """Adds the figures of `other`."""
        for name, method in other.methods.items():
            self.methods[name].codes.update(method.codes)
            self.methods[name].durations.merge(method.durations)
        for stage, durations in other.stages.items():
            self.stages[stage].merge(durations)
        for name, model in other.models.items():
            own = self.models[name]
            own.calls += model.calls
            own.failures += model.failures
            own.read += model.read
            own.written += model.written
            own.durations.merge(model.durations)
        for name, arm in other.arms.items():
            self.arms[name].runs += arm.runs
            self.arms[name].skips += arm.skips
        self.add_counts(other)
        self._keep_slowest(other.slowest)

    def _keep_slowest(self, calls: Iterable[EndedCall]) -> None:
        for call in calls:
            if len(self.slowest) < SLOWEST:
                heapq.heappush(self.slowest, call)
            elif call.seconds > self.slowest[0].seconds:
                heapq.heapreplace(self.slowest, call)
