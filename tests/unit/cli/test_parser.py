"""Parsing and running command lines, and reporting failures."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Callable, Coroutine
from datetime import timedelta

import pytest

from server import __main__ as main
from server.cli import administration, operations, serve, stores
from server.cli.console import fail
from server.core.errors import FieldViolation, InvalidRequest, NotFound
from server.core.transient_errors import StoreUnavailable
from server.projects.project import KeyRole
from server.runtime.settings import SettingsFault
from tests.support.server import ROOT

Command = Callable[[argparse.Namespace], Coroutine[object, object, None]]


def parse(line: str) -> argparse.Namespace:
    return main.build_parser().parse_args(line.split())


@pytest.mark.parametrize(
    ("line", "command", "values"),
    [
        ("serve", serve.run, {}),
        ("migrate", stores.migrate, {}),
        ("projects create one", administration.create_project, {"project": "one"}),
        ("projects create one", administration.create_project, {"org": "default"}),
        ("projects create one --org acme", administration.create_project, {"org": "acme"}),
        ("projects list", administration.list_projects, {}),
        (
            "keys create --project one",
            administration.create_key,
            {"project": "one", "org": None, "label": ""},
        ),
        (
            "keys create --org acme --label laptop",
            administration.create_key,
            {"project": None, "org": "acme", "label": "laptop"},
        ),
        (
            "keys create --project one --role read --expires 90d --user alice --run r1",
            administration.create_key,
            {
                "role": KeyRole.READ,
                "expires": timedelta(days=90),
                "user_id": "alice",
                "agent_id": None,
                "run_id": "r1",
            },
        ),
        (
            "keys create --project one",
            administration.create_key,
            {"role": KeyRole.ADMIN, "expires": None},
        ),
        ("keys list", administration.list_keys, {}),
        (
            "keys rotate 0123456789ab --overlap 90m",
            administration.rotate_key,
            {"key": "0123456789ab", "overlap": timedelta(minutes=90)},
        ),
        ("keys rotate 0123456789ab", administration.rotate_key, {"overlap": timedelta(days=1)}),
        (
            "operations list --project one --state FAILED",
            operations.list_operations,
            {"project": "one", "state": "FAILED"},
        ),
        ("keys revoke 0123456789ab", administration.revoke_key, {"key": "0123456789ab"}),
    ],
)
def test_each_command_line_runs_its_command(
    line: str, command: Command, values: dict[str, object]
) -> None:
    arguments = parse(line)
    assert arguments.run is command
    assert {name: getattr(arguments, name) for name in values} == values


@pytest.mark.parametrize(
    "line",
    [
        "",
        "unknown",
        "serve now",
        "projects",
        "projects create",
        "keys",
        "keys create",
        "keys create --project one --org acme",
        "keys revoke",
    ],
)
def test_other_command_lines_are_refused(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse(line)
    assert raised.value.code == 2
    assert "usage: python -m server" in capsys.readouterr().err


def commands_of(parser: argparse.ArgumentParser) -> list[str]:
    [commands] = [each for each in parser._actions if isinstance(each.choices, dict)]
    return list(commands.choices or ())


def test_every_command_is_found_alone_and_in_the_whole_parser() -> None:
    assert commands_of(main.build_parser()) == list(main.MODULES)
    for command in main.MODULES:
        assert command in commands_of(main.build_parser(command))


@pytest.mark.parametrize(
    ("command", "unneeded"),
    [("serve", ("google.genai", "wordllama", "mcp")), ("keys", ("server.api.grpc.server",))],
    ids=["serve", "keys"],
)
def test_a_command_imports_only_what_it_needs(command: str, unneeded: tuple[str, ...]) -> None:
    script = (
        "import sys; from server.__main__ import build_parser; "
        "build_parser(sys.argv[1]); print(sys.modules.keys() & sys.argv[2:])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", script, command, *unneeded],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert ran.stdout == "set()\n"


def run_main(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int | str | None:
    """Returns the exit status of a command that fails with this error."""

    async def command(_arguments: argparse.Namespace) -> None:
        raise error

    monkeypatch.setattr("sys.argv", ["server", "migrate"])
    monkeypatch.setattr(stores, "migrate", command)
    with pytest.raises(SystemExit) as raised:
        main.main()
    return raised.value.code


def unreachable() -> StoreUnavailable:
    error = StoreUnavailable()
    error.__cause__ = ConnectionRefusedError("connection refused")
    return error


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (SettingsFault("MEMOIR_GRPC_PORT: wrong"), 2, "MEMOIR_GRPC_PORT: wrong"),
        (InvalidRequest([FieldViolation("org_id", "too long")]), 2, "org_id: too long"),
        (NotFound("there is no project 'x[/]'"), 1, "there is no project 'x[/]'"),
        (
            unreachable(),
            1,
            f"{StoreUnavailable()} (connection refused)",
        ),
        (OSError("cannot listen on [::]:50051"), 1, "cannot listen on [::]:50051"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_failure_is_reported_in_one_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    said: str,
) -> None:
    assert run_main(monkeypatch, error) == status
    captured = capsys.readouterr()
    assert captured.err == f"memoir: {said}\n"
    assert captured.out == ""


def test_the_message_of_a_failure_is_printed_unchanged(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        fail("[bold]not markup[/bold]")
    assert capsys.readouterr().err == "memoir: [bold]not markup[/bold]\n"
