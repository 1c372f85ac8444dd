"""`migrate`: bringing the schema up to date."""

from __future__ import annotations

import argparse

from server.bootstrap import migrate_database
from server.cli.backends import postgres_of
from server.cli.console import ConsoleProgress, out
from server.embedded import Progress
from server.settings import load_settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "migrate",
        help="bring the database schema up to date",
        description="Applies the migrations that the database lacks. Safe to repeat, and to run "
        "from several places at once.",
    )
    parser.set_defaults(run=run)


async def run(_arguments: argparse.Namespace) -> None:
    """Runs the command."""
    settings = load_settings()
    progress = ConsoleProgress()
    async with postgres_of(settings, progress) as dsn:
        count = await apply_migrations(dsn, progress)
    out.print("the schema is up to date" if count == 0 else f"applied {count} migration(s)")


async def apply_migrations(dsn: str, progress: Progress) -> int:
    """Applies what is missing and answers how many steps that were."""
    return await migrate_database(dsn, lambda step: progress.step(f"migrating to {step}"))
