"""The processor time per call of each kind of process."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import psutil

SERVER, NEO4J, POSTGRES, ENDPOINT, LOAD = "server", "Neo4j", "PostgreSQL", "endpoint", "load"


def processor_seconds() -> dict[str, float]:
    """Returns the user and system time of this process (the load) and its descendants, by kind."""
    this = psutil.Process()
    seconds: defaultdict[str, float] = defaultdict(float)
    seconds[LOAD] = this.cpu_times().user + this.cpu_times().system
    for process in this.children(recursive=True):
        try:
            times, name = process.cpu_times(), _kind(process)
        except psutil.NoSuchProcess:
            continue
        seconds[name] += times.user + times.system
    return dict(seconds)


def server_processes() -> list[psutil.Process]:
    """Returns the descendants of this process that serve."""
    return [process for process in psutil.Process().children(recursive=True) if _serves(process)]


def _serves(process: psutil.Process) -> bool:
    try:
        return "serve" in process.cmdline()
    except psutil.NoSuchProcess:
        # It has ended since it was listed, as processes of PostgreSQL do.
        return False


def seconds_of(processes: Iterable[psutil.Process]) -> float:
    """Returns the user and system time of these processes."""
    times = [process.cpu_times() for process in processes]
    return float(sum(each.user + each.system for each in times))


def milliseconds_a_call(
    before: Mapping[str, float], after: Mapping[str, float], calls: int
) -> dict[str, float]:
    """Returns the time per call of each kind of process between two readings."""
    return {kind: (after[kind] - before.get(kind, 0.0)) / calls * 1000 for kind in after}


def _kind(process: psutil.Process) -> str:
    line = process.cmdline()
    if process.name() == "java":
        return NEO4J
    if process.name().startswith("postgres"):
        return POSTGRES
    return ENDPOINT if "benchmarks.gemini" in line else SERVER
