"""`reembed`: change the embedder of a store."""

from __future__ import annotations

import argparse

from server.cli.console import err, progress_bar
from server.cli.store import open_store
from server.runtime.composition.archives import open_reembed


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "reembed",
        help="embed every memory again with the models in the settings",
        description="For a store whose embedder is to change: embeds the texts of all memories and "
        "of their past states, and makes the embedder in the settings the store's. Stop the "
        "servers first. Safe to interrupt: the same command continues.",
    )
    parser.set_defaults(run=run)


async def run(_arguments: argparse.Namespace) -> None:
    """Runs the command."""
    async with (
        open_store() as store,
        open_reembed(store.settings, store.dsn) as reembed,
    ):
        with progress_bar() as bar:
            task = bar.add_task("embedding", total=None)
            done = await reembed(lambda done, total: bar.update(task, completed=done, total=total))
    err.print(
        "nothing to do: it is the store's embedder" if done is None else f"embedded {done} texts"
    )
