"""`migrate`: bring the schema up to date."""

from __future__ import annotations

import argparse

from server.cli.backends import apply_migrations, postgres_of
from server.cli.console import ConsoleProgress, err, out
from server.core.errors import GraphUnavailable
from server.runtime.composition.graph import GraphAddress, prepare_graph
from server.runtime.settings import Settings, load_settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "migrate",
        help="bring the database schema up to date",
        description="Applies the migrations that the database lacks. Safe to repeat, and to run "
        "several times at once.",
    )
    parser.add_argument(
        "--service-role",
        metavar="ROLE",
        help="also grant this PostgreSQL role only the rights that a server needs; servers that "
        "connect as this role see one project's rows at a time",
    )
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    settings = load_settings()
    progress = ConsoleProgress()
    async with postgres_of(settings, progress) as dsn:
        count = await apply_migrations(dsn, progress, arguments.service_role)
    await _prepare_graph(settings)
    out.print("the schema is up to date" if count == 0 else f"applied {count} migration(s)")


async def _prepare_graph(settings: Settings) -> None:
    """Creates the constraints of a configured Neo4j; for an embedded one, the server does it."""
    neo4j = settings.neo4j
    if neo4j.uri is None:
        return
    address = GraphAddress(neo4j.uri, neo4j.user, neo4j.password.get_secret_value())
    try:
        await prepare_graph(address, neo4j)
    except GraphUnavailable:
        err.print("Neo4j does not answer; the servers will create its constraints later")
    else:
        out.print("the graph has its constraints")
