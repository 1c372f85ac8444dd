"""`migrate`, `reembed` and `index-search`: prepare and change the PostgreSQL of a store."""

from __future__ import annotations

import argparse

from server.cli.backends import configured_graph, open_store, postgres_to_maintain
from server.cli.console import ConsoleProgress, err, out, progress_of
from server.core.transient_errors import GraphUnavailable
from server.runtime.composition.commands import migrate_database, open_reembed, open_search_indexing
from server.runtime.composition.graph import prepare_graph
from server.runtime.settings import Settings, load_settings


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands."""
    _add_migrate(commands)
    _add_reembed(commands)
    _add_index_search(commands)


def _add_migrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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
    parser.set_defaults(run=migrate)


async def migrate(arguments: argparse.Namespace) -> None:
    """Runs `migrate`."""
    settings = load_settings()
    progress = ConsoleProgress()
    async with postgres_to_maintain(settings, progress) as dsn:
        count = await migrate_database(dsn, progress, arguments.service_role)
    await _prepare_graph(settings)
    out.print("the schema is up to date" if count == 0 else f"applied {count} migration(s)")


async def _prepare_graph(settings: Settings) -> None:
    """Creates the constraints of a configured Neo4j; for an embedded one, the server does it."""
    address = configured_graph(settings)
    if address is None:
        return
    try:
        await prepare_graph(address, settings.neo4j)
    except GraphUnavailable:
        err.print("Neo4j does not answer; the servers will create its constraints later")
    else:
        out.print("the graph has its constraints")


def _add_reembed(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "reembed",
        help="embed every memory again with the models in the settings",
        description="Changes the embedder of a store to the one in the settings: embeds the texts "
        "of all memories and of their past states again. Stop the servers first. After an "
        "interruption, the same command continues.",
    )
    parser.set_defaults(run=reembed)


async def reembed(_arguments: argparse.Namespace) -> None:
    """Runs `reembed`."""
    async with (
        open_store() as store,
        open_reembed(store.settings, store.dsn) as change_embedder,
    ):
        with progress_of("embedding") as report:
            done = await change_embedder(report)
    err.print(
        "nothing to do: the store has this embedder" if done is None else f"embedded {done} texts"
    )


def _add_index_search(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "index-search",
        help="build indexes for searches of very large scopes",
        description="Builds indexes of all embeddings (HNSW) and words (GIN), for searches of "
        "scopes that are a large part of the database. They make adding memories slower, so "
        "build them only if searches of scopes with 50,000 memories or more are too slow. "
        "Servers may keep running. After an interruption, the same command starts over.",
    )
    parser.add_argument("--drop", action="store_true", help="remove the indexes instead")
    parser.add_argument(
        "--memory-mib",
        type=int,
        default=512,
        help="memory for PostgreSQL to build the indexes; an index that does not fit takes far "
        "longer (default: %(default)s)",
    )
    parser.set_defaults(run=index_search)


async def index_search(arguments: argparse.Namespace) -> None:
    """Runs `index-search`."""
    async with open_store() as store, open_search_indexing(store.settings, store.dsn) as indexing:
        if arguments.drop:
            await indexing.drop()
            err.print("the indexes are removed")
            return
        with progress_of("indexing") as report:
            await indexing.build(arguments.memory_mib, report)
    err.print("the indexes of embeddings and words are built")
