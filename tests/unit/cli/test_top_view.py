"""The view that `top` makes of statistics."""

from __future__ import annotations

import io
import re
from xml.etree import ElementTree as ET

from memoir.v1 import statistics_service_pb2 as pb
from rich.console import Console

from scripts.screenshots import top_picture
from server.cli.top_view import TopView


def shown(*statistics: pb.Statistics) -> str:
    view = TopView()
    for one in statistics:
        view.update(one)
    screen = io.StringIO()
    Console(file=screen, width=140).print(view.render("Memoir at somewhere"))
    return screen.getvalue()


def method(calls: int, failed: int, p95: float) -> pb.Statistics:
    return pb.Statistics(
        last_minute=pb.WindowStatistics(
            methods=[
                pb.MethodStatistics(
                    method="memoir.v1.MemoryService/AddMemories",
                    requests_by_status={"OK": calls - failed, "INTERNAL": failed},
                    latency=pb.LatencyStatistics(count=calls, p50_ms=1, p95_ms=p95, p99_ms=p95),
                )
            ]
        )
    )


def row_of(text: str, name: str) -> str:
    return next(line for line in text.splitlines() if line.strip().startswith(name))


def test_methods_have_rates_errors_latencies_and_a_curve() -> None:
    row = row_of(shown(method(60, 0, 10), method(120, 3, 80)), "MemoryService/AddMemories")
    assert row.split() == ["MemoryService/AddMemories", "2.0", "3", "1.0", "80.0", "80.0", "▁█"]


def test_streams_closed_by_clients_are_not_errors_and_have_no_latency() -> None:
    watched = pb.MethodStatistics(
        method="memoir.v1.StatisticsService/WatchStatistics",
        requests_by_status={"CANCELLED": 60, "UNAVAILABLE": 60},
    )
    minute = pb.WindowStatistics(methods=[watched])
    row = row_of(shown(pb.Statistics(last_minute=minute)), "StatisticsService/WatchStatistics")
    assert row.split() == ["StatisticsService/WatchStatistics", "2.0", "60", "-", "-", "-"]


def test_the_slowest_requests_have_their_ids() -> None:
    slow = pb.SlowRequest(
        method="memoir.v1.MemoryService/SearchMemories",
        status="OK",
        duration_ms=1234.5,
        correlation_id="[red]find-me",
    )
    text = shown(pb.Statistics(last_hour=pb.WindowStatistics(slowest_requests=[slow])))
    assert "[red]find-me" in row_of(text, "MemoryService/SearchMemories")
    assert "1234.5" in text


def test_an_unavailable_graph_is_shown() -> None:
    away = pb.Statistics(graph=pb.GraphStatistics(available=False, pending=7))
    here = pb.Statistics(graph=pb.GraphStatistics(available=True, pending=7))
    assert "unavailable  7 pending" in row_of(shown(away), "graph")
    assert "unavailable" not in shown(here)


def test_skipped_arms_of_searches_are_shown() -> None:
    minute = pb.WindowStatistics(
        search_arms=[pb.SearchArmStatistics(arm="graph", runs=5, skips=2)],
        cache_hits=3,
        cache_misses=1,
    )
    row = row_of(shown(pb.Statistics(last_minute=minute)), "last minute")
    assert "graph 5 (2 skipped)" in row
    assert "75 % hit" in row


def test_its_svg_is_complete_and_loads_nothing() -> None:
    view = TopView()
    view.update(method(6, 1, 2.0))
    picture = top_picture(view, "somewhere:1")
    assert "AddMemories" in "".join(ET.fromstring(picture).itertext())
    assert "@import" not in picture
    assert set(re.findall(r"url\((.)", picture)) == {"#"}
