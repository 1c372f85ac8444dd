"""Evaluates the alert rules over the metrics that a server exposed."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tests.support.monitoring import RULES
from tests.support.tools import run_tool

_MINUTES = 4
_TARGET = {"job": "memoir", "instance": "server"}


async def assert_alert(name: str, *scrapes: str, fires: bool, folder: Path) -> None:
    """Evaluates the rules with Prometheus over the scrapes of a server, oldest first.

    Each of `scrapes` stands for four minutes, longer than a fault in a test lasts. The `for` of an
    alert is ignored.

    Raises:
        AssertionError: at the end, the state of the alert differs from `fires`.
    """
    rules = yaml.safe_load(RULES.read_text(encoding="utf-8"))
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule.pop("for", None)
    (folder / "rules.yml").write_text(yaml.safe_dump(rules), encoding="utf-8")
    expected = [{"labels": "{}", "value": 1}] if fires else []
    case = {
        "interval": "1m",
        "input_series": list(_series(scrapes)),
        "promql_expr_test": [
            {
                "expr": f'group(ALERTS{{alertname="{name}",alertstate="firing"}})',
                "eval_time": f"{_MINUTES * len(scrapes) - 1}m",
                "exp_samples": expected,
            }
        ],
    }
    file = folder / "case.yml"
    file.write_text(
        yaml.safe_dump({"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": [case]}),
        encoding="utf-8",
    )
    status, out = await run_tool("promtool", "test", "rules", str(file))
    assert status == 0, out


def _series(scrapes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    values: defaultdict[str, list[str]] = defaultdict(list)
    for number, text in enumerate(scrapes):
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                seen = values[_named(sample)]
                seen += ["_"] * (number * _MINUTES - len(seen))
                seen += [repr(sample.value)] * _MINUTES
    values[_named(Sample("up", {}, 1.0))] = ["1"] * _MINUTES * len(scrapes)
    for series, samples in values.items():
        yield {"series": series, "values": " ".join(samples)}


def _named(sample: Sample) -> str:
    labels = {**sample.labels, **_TARGET}
    return f"{sample.name}{{{','.join(f'{k}={json.dumps(v)}' for k, v in labels.items())}}}"
