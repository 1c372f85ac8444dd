"""The delivered alert rules and dashboards, and the metrics that they query."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.support.server import ROOT

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = PROMETHEUS / "memoir.rules.yml"
RULE_TESTS = PROMETHEUS / "memoir.rules.test.yml"
DASHBOARDS = sorted((ROOT / "deploy" / "grafana").glob("*.json"))

_METRIC = re.compile(r"\b((?:memoir|rpc|gen_ai|process)_\w+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r"(\w+)(=~|!~|!=|=)\"([^\"]*)\"")
_ELSEWHERE = re.compile(r"\bby \([^)]*\)|\w+(?::\w+)+")
# Prometheus and its configuration add these.
_LABELS_OF_TARGETS = {"job", "instance"}
_GROUPED = re.compile(r"\bby \(([^)]*)\)")
_RECORDED = re.compile(r"\b\w+(?::\w+)+")
_AGGREGATED = re.compile(r"\b(?:sum|count|max|min|avg|histogram_quantile)\b")
_SHOWN_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class Asked:
    """A metric in an expression, with its label matchers."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]

    @property
    def labels(self) -> set[str]:
        """The labels that the server itself must expose."""
        return {label for label, _, _ in self.matchers} - _LABELS_OF_TARGETS

    @property
    def values(self) -> set[tuple[str, str]]:
        """The values that labels must have."""
        return {
            (label, value)
            for label, comparison, value in self.matchers
            if comparison == "=" and label not in _LABELS_OF_TARGETS
        }


def rules() -> list[dict[str, Any]]:
    """Returns all recording and alerting rules."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Returns the alerting rules."""
    return [rule for rule in rules() if "alert" in rule]


def alert_names() -> set[str]:
    """Returns the names of the alerts; an alert with two severities counts once."""
    return {alert["alert"] for alert in alerts()}


def panels(dashboard: Path) -> Iterator[dict[str, Any]]:
    """Yields the panels of a dashboard that have queries."""
    for panel in json.loads(dashboard.read_text(encoding="utf-8"))["panels"]:
        if panel["type"] != "row":
            yield panel


def shown_expressions(dashboard: Path) -> list[str]:
    """Returns the expressions of a dashboard, with its variables filled in as Grafana would."""
    return [
        target["expr"].replace("$__rate_interval", "5m").replace("$instance", ".*")
        for panel in panels(dashboard)
        for target in panel["targets"]
    ]


def grouped_by(expression: str) -> set[str]:
    """Returns the labels that an expression groups by and the server itself must expose."""
    return _kept(expression) - _LABELS_OF_TARGETS


def recorded(expression: str) -> set[str]:
    """Returns the recorded metrics in an expression."""
    return set(_RECORDED.findall(expression))


def labels_lost(target: dict[str, Any]) -> set[str]:
    """Returns the labels in a legend that the aggregation of its expression drops."""
    expression = target["expr"]
    if not _AGGREGATED.search(expression):
        return set()
    return set(_SHOWN_LABEL.findall(target["legendFormat"])) - _kept(expression)


def _kept(expression: str) -> set[str]:
    return {each.strip() for group in _GROUPED.findall(expression) for each in group.split(",")}


def unit_of(panel: dict[str, Any], target: dict[str, Any]) -> str | None:
    """Returns the unit in which Grafana shows the results of a target."""
    config = panel["fieldConfig"]
    for override in config["overrides"]:
        if override["matcher"] == {"id": "byFrameRefID", "options": target["refId"]}:
            return {each["id"]: each["value"] for each in override["properties"]}.get("unit")
    unit: str | None = config["defaults"].get("unit")
    return unit


def asked(expression: str) -> list[Asked]:
    """Returns the server's metrics in an expression, without recorded ones."""
    return [
        Asked(name, tuple(_MATCHER.findall(matchers)))
        for name, matchers in _METRIC.findall(_ELSEWHERE.sub("", expression))
    ]
