"""The dashboards, as Grafana imports them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.support.monitoring import (
    DASHBOARDS,
    labels_lost,
    panels,
    recorded,
    rules,
    shown_expressions,
    unit_of,
)
from tests.support.tools import run_tool

_ADDRESS = re.compile(r"https?://|\b\d+\.\d+\.\d+\.\d+\b|localhost")
# https://github.com/grafana/grafana/blob/main/packages/grafana-data/src/valueFormats/categories.ts
_UNITS = {"none", "reqps", "s", "bytes", "percentunit"}
_IN_SECONDS = re.compile(r"histogram_quantile\(.*_seconds_bucket|^(?:max\()?\w+_seconds\{")
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}

each_dashboard = pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)


def test_dashboards_have_unique_ids() -> None:
    read = [json.loads(path.read_text(encoding="utf-8")) for path in DASHBOARDS]
    assert len(read) > 1
    assert len({dashboard["uid"] for dashboard in read}) == len(read)
    assert len({dashboard["title"] for dashboard in read}) == len(read)


@each_dashboard
def test_it_names_no_host_and_takes_the_data_source_that_is_chosen(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert not _ADDRESS.search(text)
    dashboard = json.loads(text)
    variables = {variable["name"]: variable for variable in dashboard["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    assert all(panel["datasource"] == _SOURCE for panel in panels(path))
    assert all(
        target["datasource"] == _SOURCE for panel in panels(path) for target in panel["targets"]
    )


@each_dashboard
def test_its_panels_have_titles_and_do_not_overlap(path: Path) -> None:
    dashboard = json.loads(path.read_text(encoding="utf-8"))
    assert all(panel["title"] for panel in dashboard["panels"])
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    taken: set[tuple[int, int]] = set()
    for place in (panel["gridPos"] for panel in dashboard["panels"]):
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken
        taken |= cells


@each_dashboard
def test_panels_have_the_units_of_their_metrics(path: Path) -> None:
    shown = [(panel, target) for panel in panels(path) for target in panel["targets"]]
    assert {unit_of(panel, target) for panel, target in shown} <= _UNITS
    durations = [each for each in shown if _IN_SECONDS.search(each[1]["expr"])]
    assert len(durations) >= 3
    assert {unit_of(panel, target) for panel, target in durations} == {"s"}


@each_dashboard
def test_its_legends_show_only_labels_that_expressions_keep(path: Path) -> None:
    targets = [target for panel in panels(path) for target in panel["targets"]]
    assert {
        f"{target['expr']}: {label}" for target in targets for label in labels_lost(target)
    } == set()
    for panel in panels(path):
        legends = [target["legendFormat"] for target in panel["targets"]]
        assert len(set(legends)) == len(legends)


@each_dashboard
def test_recorded_metrics_of_a_dashboard_exist(path: Path) -> None:
    names = {rule["record"] for rule in rules() if "record" in rule}
    assert {each for expr in shown_expressions(path) for each in recorded(expr)} <= names


@each_dashboard
async def test_prometheus_accepts_the_expressions(path: Path, tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression}
        for number, expression in enumerate(shown_expressions(path))
    ]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    status, out = await run_tool("promtool", "check", "rules", str(file))
    assert status == 0, out
    assert f"{len(rules)} rules found" in out
