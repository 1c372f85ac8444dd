"""The file with which a running server describes itself to other commands."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from server.cli.development import RUNTIME_FILE, Runtime, announced, read_runtime

RUNTIME = Runtime("postgresql://postgres@/memoir", "127.0.0.1:50051", "bolt://127.0.0.1:7687")


@pytest.mark.parametrize("runtime", [RUNTIME, Runtime("dsn", "address", None)])
def test_it_exists_while_the_server_runs(tmp_path: Path, runtime: Runtime) -> None:
    with announced(tmp_path, runtime):
        assert read_runtime(tmp_path) == runtime
    assert read_runtime(tmp_path) is None
    assert list(tmp_path.iterdir()) == []


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    with announced(tmp_path, RUNTIME):
        assert stat.S_IMODE((tmp_path / RUNTIME_FILE).stat().st_mode) == 0o600


def test_it_is_removed_when_the_server_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with announced(tmp_path, RUNTIME):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert read_runtime(tmp_path) is None


def test_the_file_of_a_killed_server_is_replaced(tmp_path: Path) -> None:
    (tmp_path / RUNTIME_FILE).write_text("x" * 10_000)
    with announced(tmp_path, RUNTIME):
        assert read_runtime(tmp_path) == RUNTIME


def test_a_file_that_is_already_removed_is_not_an_error(tmp_path: Path) -> None:
    with announced(tmp_path, RUNTIME):
        (tmp_path / RUNTIME_FILE).unlink()


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "7", "{}", '{"postgres_dsn": "x"}', '{"unknown": 1}', "\xff"],
)
def test_an_unreadable_file_counts_as_none(tmp_path: Path, text: str) -> None:
    (tmp_path / RUNTIME_FILE).write_bytes(text.encode("latin-1"))
    assert read_runtime(tmp_path) is None


def test_without_a_file_nothing_is_returned(tmp_path: Path) -> None:
    assert read_runtime(tmp_path / "nowhere") is None
