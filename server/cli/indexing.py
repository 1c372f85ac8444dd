"""`index-search`: indexes for stores with very large scopes."""

from __future__ import annotations

import argparse

from server.cli.console import err, progress_bar
from server.cli.store import open_store
from server.runtime.composition.archives import open_search_indexing


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "index-search",
        help="build indexes for searches of very large scopes",
        description="Builds indexes of all embeddings (HNSW) and words (GIN), by which scopes that "
        "are a large part of the database are searched. They make adding memories slower, so "
        "build them only if searches of scopes with 50,000 memories or more are too slow. "
        "Servers may keep running. After an interruption, the same command starts over.",
    )
    parser.add_argument("--drop", action="store_true", help="remove the indexes instead")
    parser.add_argument(
        "--memory-mib",
        type=int,
        default=512,
        help="memory for PostgreSQL to build with; an index that does not fit takes far longer "
        "(default: %(default)s)",
    )
    parser.set_defaults(run=run)


async def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    async with open_store() as store, open_search_indexing(store.settings, store.dsn) as indexing:
        if arguments.drop:
            await indexing.drop()
            err.print("the indexes are gone")
            return
        with progress_bar() as bar:
            task = bar.add_task("indexing", total=None)
            await indexing.build(
                arguments.memory_mib,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    err.print("embeddings and words are indexed")
