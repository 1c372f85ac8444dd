"""The alert rules, as Prometheus itself reads and evaluates them."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.support.monitoring import PROMETHEUS, RULE_TESTS, RULES, alert_names, alerts
from tests.support.server import ROOT
from tests.support.tools import run_tool

_SECTION = re.compile(r"^### (Memoir\w+)$", re.MULTILINE)
_EXPECTED = re.compile(r"ALERTS\{alertname=\"(\w+)\"")


async def test_the_example_configuration_and_the_rules_are_valid() -> None:
    status, out = await run_tool("promtool", "check", "config", str(PROMETHEUS / "prometheus.yml"))
    assert status == 0, out
    assert "rules found" in out
    status, out = await run_tool("promtool", "check", "rules", "--lint-fatal", str(RULES))
    assert status == 0, out


async def test_alerts_fire_when_they_should_and_only_then() -> None:
    status, out = await run_tool("promtool", "test", "rules", str(RULE_TESTS))
    assert status == 0, out


def test_each_alert_is_seen_firing() -> None:
    assert set(_EXPECTED.findall(RULE_TESTS.read_text(encoding="utf-8"))) == alert_names()


def test_no_alert_fires_where_all_is_well() -> None:
    well = yaml.safe_load(RULE_TESTS.read_text(encoding="utf-8"))["tests"][0]
    assert {case["expr"] for case in well["promql_expr_test"]} == {"ALERTS"}
    assert not any(case["exp_samples"] for case in well["promql_expr_test"])


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: alert["alert"])
def test_an_alert_says_how_bad_it_is_and_what_to_do(alert: dict[str, dict[str, str]]) -> None:
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"]["summary"]
    document, _, anchor = alert["annotations"]["runbook"].partition("#")
    assert anchor == str(alert["alert"]).lower()
    assert _SECTION.search((ROOT / document).read_text(encoding="utf-8"))


def test_exactly_the_alerts_are_documented() -> None:
    operations = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
    sections = _SECTION.findall(operations)
    assert set(sections) == alert_names()
    assert len(sections) == len(set(sections))
