"""`entities`: list the names that stand for one entity, and split names joined by mistake."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.markup import escape
from rich.table import Table

from server.cli.console import out
from server.cli.store import open_store
from server.graph.entities.joins import EntityJoins
from server.runtime.composition.graph import open_entity_joins


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("entities", help="list and split names that stand for one entity")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser(
        "list",
        help="list the names that memories join, and those that were split",
        description="A name that memories use for two entities is ambiguous and joins neither.",
    )
    listing.add_argument("--space", help="only this graph space, such as user:alice")
    listing.set_defaults(run=list_joins)
    split = verbs.add_parser(
        "split",
        help="split two names that memories say are one entity",
        description="The graph is updated within moments. Memories stay unchanged, and no memory "
        "can join the two names again, not even a new one. `rejoin` undoes it.",
    )
    split.set_defaults(run=split_names)
    rejoin = verbs.add_parser("rejoin", help="undo a split")
    rejoin.set_defaults(run=rejoin_names)
    for verb in (listing, split, rejoin):
        verb.add_argument("--project", required=True, help="project of the entities")
    for verb in (split, rejoin):
        verb.add_argument("--space", required=True, help="graph space, such as user:alice")
        verb.add_argument("name", help="name of the entity")
        verb.add_argument("alias", help="name that is, or is not, an alias of it")


@asynccontextmanager
async def _joins() -> AsyncIterator[EntityJoins]:
    async with (
        open_store() as store,
        open_entity_joins(store.dsn, store.settings.postgres) as joins,
    ):
        yield joins


async def list_joins(arguments: argparse.Namespace) -> None:
    """`entities list`."""
    async with _joins() as joins:
        found = await joins.list(arguments.project, arguments.space)
    table = Table("space", "name", "alias", "state", "memories that say so")
    for join in found:
        memories = "" if join.memories is None else str(join.memories)
        table.add_row(*map(escape, (join.space, join.name, join.alias, join.state, memories)))
    out.print(table)


async def split_names(arguments: argparse.Namespace) -> None:
    """`entities split`."""
    async with _joins() as joins:
        concerned = await joins.split(
            arguments.project, arguments.space, arguments.name, arguments.alias
        )
    out.print(
        f"split {arguments.alias} from {arguments.name}; memories that said so: {concerned}",
        markup=False,
    )


async def rejoin_names(arguments: argparse.Namespace) -> None:
    """`entities rejoin`."""
    async with _joins() as joins:
        await joins.rejoin(arguments.project, arguments.space, arguments.name, arguments.alias)
    out.print(f"{arguments.alias} is a name of {arguments.name} again", markup=False)
