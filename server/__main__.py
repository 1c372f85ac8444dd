"""The entry point of the command line, `python -m server`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Coroutine
from importlib import import_module

import uvloop

from server.cli.console import fail
from server.core.errors import InvalidRequest, MemoirError
from server.embedded import EmbeddedError
from server.runtime.settings import SettingsFault
from server.runtime.workers import WorkerFailed

Command = Callable[[argparse.Namespace], Coroutine[object, object, None]]

# In the order of `--help`. Only the module of the requested command is imported, because importing
# all of them takes about a second.
MODULES = {
    "serve": "serve",
    "migrate": "stores",
    "reembed": "stores",
    "index-search": "stores",
    "verify-graph": "graph",
    "rebuild-graph": "graph",
    "entities": "graph",
    "projects": "administration",
    "keys": "administration",
    "export": "archives",
    "import": "archives",
    "operations": "operations",
    "top": "top",
    "trace": "trace",
    "audit": "audit",
}


def build_parser(command: str | None = None) -> argparse.ArgumentParser:
    """Returns the parser of `command`, or of all commands; each stores its function in `run`."""
    parser = argparse.ArgumentParser(
        prog="python -m server",
        description="Memoir, a memory service for AI agents.",
        epilog="Settings are environment variables: see .env.example.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    module = MODULES.get(command or "")
    for name in [module] if module else dict.fromkeys(MODULES.values()):
        import_module(f"server.cli.{name}").add_to(commands)
    return parser


def main() -> None:
    """Runs one command. Ends with status 2 if settings or arguments are wrong."""
    arguments = build_parser(*sys.argv[1:2]).parse_args()
    run: Command = arguments.run
    try:
        uvloop.run(run(arguments))
    except SettingsFault as fault:
        fail(str(fault), status=2)
    except InvalidRequest as error:
        fail("; ".join(f"{v.field}: {v.description}" for v in error.violations), status=2)
    except WorkerFailed as failed:
        fail(str(failed), status=failed.status if failed.status > 0 else 1)
    except (MemoirError, EmbeddedError, OSError) as error:
        cause = f" ({error.__cause__})" if error.__cause__ else ""
        fail(f"{error}{cause}")
    except KeyboardInterrupt:
        fail("interrupted", status=130)


if __name__ == "__main__":
    main()
