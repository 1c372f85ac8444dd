"""`verify-graph`, `rebuild-graph` and `entities`: check and repair the graph."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.markup import escape
from rich.table import Table

from server.cli.backends import graph_to_maintain, open_store, opened
from server.cli.console import out, progress_bar, progress_of
from server.graph.project.maintenance import GraphReport, Rebuilt
from server.runtime.composition.graph import (
    GraphMaintenance,
    open_entity_joins,
    open_graph_maintenance,
)


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the commands."""
    _add_graph(commands)
    _add_entities(commands)


def _add_graph(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    verify = commands.add_parser(
        "verify-graph",
        help="compare the graph with the memories",
        description="Compares every node and edge in Neo4j with PostgreSQL and counts the "
        "differences. Ends with status 1 if there are any. Servers may keep running.",
    )
    rebuild = commands.add_parser(
        "rebuild-graph",
        help="rebuild the graph from the memories",
        description="Projects every memory again, retries memories that were given up, and removes "
        "what is not in PostgreSQL. The graph stays readable, and servers may keep running. "
        "Safe to interrupt and repeat.",
    )
    for parser, run in ((verify, verify_graph), (rebuild, rebuild_graph)):
        parser.add_argument("--project", help="only this project (default: all)")
        parser.set_defaults(run=run)


async def verify_graph(arguments: argparse.Namespace) -> None:
    """Runs `verify-graph`."""
    async with _maintenance() as maintenance:
        with progress_bar() as bar:
            task = bar.add_task("comparing", total=None)
            report = await maintenance.verify(
                arguments.project, lambda count: bar.advance(task, count)
            )
    _print_report(report)
    if not report.is_equal:
        sys.exit(1)


async def rebuild_graph(arguments: argparse.Namespace) -> None:
    """Runs `rebuild-graph`."""
    async with _maintenance() as maintenance:
        with progress_of("projecting") as report:
            rebuilt = await maintenance.rebuild(arguments.project, report)
    _print_rebuilt(rebuilt)
    if rebuilt.given_up:
        sys.exit(1)


def _print_report(report: GraphReport) -> None:
    out.print(f"{report.memories} memories compared, {report.pending} with pending changes")
    for kind, count in sorted(report.differences.items()):
        examples = ", ".join(report.examples.get(kind, []))
        out.print(f"  {kind}: {count}" + (f"  ({escape(examples)})" if examples else ""))
    if report.is_equal:
        out.print("the graph is equal")
    else:
        out.print("the graph differs; to repair it, run: python -m server rebuild-graph")


def _print_rebuilt(rebuilt: Rebuilt) -> None:
    out.print(
        f"projected {rebuilt.memories} memories, removed {rebuilt.unknown} that no longer exist, "
        f"retried {rebuilt.revived} that were given up"
    )
    for kind, count in sorted((+rebuilt.repaired).items()):
        out.print(f"  repaired {kind}: {count}")
    if rebuilt.given_up:
        out.print(f"{rebuilt.given_up} memories are given up: the log says why")


@asynccontextmanager
async def _maintenance() -> AsyncIterator[GraphMaintenance]:
    async with (
        open_store() as store,
        graph_to_maintain(store.settings, store.progress) as address,
        open_graph_maintenance(store.settings, store.dsn, address) as maintenance,
    ):
        yield maintenance


def _add_entities(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("entities", help="list and split names of one entity")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser(
        "list",
        help="list names that memories join, and names that were split",
        description="An alias that memories use for two entities is ambiguous and joins neither.",
    )
    listing.add_argument("--space", help="only this graph space, such as user:alice")
    listing.set_defaults(run=list_joins)
    split = verbs.add_parser(
        "split",
        help="split two names that memories join",
        description="The graph is updated within moments. Memories stay unchanged, and no old or "
        "new memory can join the two names again. `rejoin` undoes it.",
    )
    split.set_defaults(run=split_names)
    rejoin = verbs.add_parser("rejoin", help="undo a split")
    rejoin.set_defaults(run=rejoin_names)
    for verb in (listing, split, rejoin):
        verb.add_argument("--project", required=True, help="project of the entities")
    for verb in (split, rejoin):
        verb.add_argument("--space", required=True, help="graph space, such as user:alice")
        verb.add_argument("name", help="name of the entity")
        verb.add_argument("alias", help="the other name")


async def list_joins(arguments: argparse.Namespace) -> None:
    """Runs `entities list`."""
    async with opened(open_entity_joins) as joins:
        found = await joins.list(arguments.project, arguments.space)
    table = Table("space", "name", "alias", "state", "memories")
    for join in found:
        memories = "" if join.memories is None else str(join.memories)
        table.add_row(*map(escape, (join.space, join.name, join.alias, join.state, memories)))
    out.print(table)


async def split_names(arguments: argparse.Namespace) -> None:
    """Runs `entities split`."""
    async with opened(open_entity_joins) as joins:
        count = await joins.split(
            arguments.project, arguments.space, arguments.name, arguments.alias
        )
    out.print(
        f"split {arguments.alias} from {arguments.name}; memories that joined them: {count}",
        markup=False,
    )


async def rejoin_names(arguments: argparse.Namespace) -> None:
    """Runs `entities rejoin`."""
    async with opened(open_entity_joins) as joins:
        await joins.rejoin(arguments.project, arguments.space, arguments.name, arguments.alias)
    out.print(f"{arguments.alias} is an alias of {arguments.name} again", markup=False)
