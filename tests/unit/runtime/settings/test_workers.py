"""The number of serving processes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from server.runtime.settings import SettingsFault, load_settings
from server.runtime.settings.serving import available_cores


@pytest.fixture(autouse=True)
def _four_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _process: {0, 1, 2, 3})


@pytest.mark.parametrize(
    ("content", "cores"),
    [
        ("max 100000", 4),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("900000 100000", 4),
        ("", 4),
    ],
)
def test_the_quota_of_a_container_limits_the_cores(
    tmp_path: Path, content: str, cores: int
) -> None:
    quota = tmp_path / "cpu.max"
    quota.write_text(content)
    assert available_cores(quota) == cores


def test_without_a_quota_all_cores_are_used(tmp_path: Path) -> None:
    assert available_cores(tmp_path / "missing") == 4


def test_the_embedded_databases_have_one_worker() -> None:
    assert load_settings().worker_count == 1


def test_other_databases_have_a_worker_for_each_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOIR_POSTGRES_DSN", "postgresql://memoir@db/memoir")
    monkeypatch.setenv("MEMOIR_NEO4J_URI", "bolt://neo4j:7687")
    assert load_settings().worker_count == available_cores()
    monkeypatch.setenv("MEMOIR_WORKERS", "3")
    assert load_settings().worker_count == 3


@pytest.mark.parametrize("value", ["0", "-1", "many", "257"])
def test_an_invalid_number_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MEMOIR_WORKERS", value)
    with pytest.raises(SettingsFault, match="MEMOIR_WORKERS"):
        load_settings()
