"""The entry point of the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Coroutine

import uvloop

from server.cli import (
    administration,
    archives,
    entities,
    graph,
    indexing,
    migrate,
    operations,
    reembed,
    serve,
    top,
    trace,
)
from server.cli.console import fail
from server.domain.errors import InvalidRequest, MemoirError
from server.embedded import EmbeddedError
from server.settings import SettingsFault

Command = Callable[[argparse.Namespace], Coroutine[object, object, None]]


def build_parser() -> argparse.ArgumentParser:
    """The command line's grammar; each command puts its function into `run`."""
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Memoir, a memory service for AI agents.",
        epilog="Settings are environment variables: see .env.example.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve.add_to(commands)
    migrate.add_to(commands)
    administration.add_to(commands)
    graph.add_to(commands)
    entities.add_to(commands)
    archives.add_to(commands)
    operations.add_to(commands)
    reembed.add_to(commands)
    indexing.add_to(commands)
    top.add_to(commands)
    trace.add_to(commands)
    return parser


def main() -> None:
    """Runs one command. Ends with status 2 where settings or arguments are wrong."""
    arguments = build_parser().parse_args()
    run: Command = arguments.run
    try:
        uvloop.run(run(arguments))
    except SettingsFault as fault:
        fail(str(fault), status=2)
    except InvalidRequest as error:
        fail("; ".join(f"{v.field}: {v.description}" for v in error.violations), status=2)
    except (MemoirError, EmbeddedError, OSError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        fail(f"{error}{cause}")
    except KeyboardInterrupt:
        fail("interrupted", status=130)
