"""`verify-graph` and `rebuild-graph`: compare the whole graph with the memories, or rebuild it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.markup import escape

from server.cli.backends import graph_to_maintain
from server.cli.console import out, progress_bar
from server.cli.store import open_store
from server.graph.project.maintenance import GraphReport, Rebuilt
from server.runtime.composition.graph import GraphMaintenance, open_graph_maintenance


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds both commands."""
    verify = commands.add_parser(
        "verify-graph",
        help="compare the graph with the memories",
        description="Compares every node and edge in Neo4j with PostgreSQL and counts the "
        "differences. Ends with status 1 if there are any. Servers may keep running.",
    )
    rebuild = commands.add_parser(
        "rebuild-graph",
        help="rebuild the graph from the memories",
        description="Projects every memory again, retries those that were given up, and removes "
        "what PostgreSQL does not know. The graph stays readable, and servers may keep running. "
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
    if not report.equal:
        sys.exit(1)


async def rebuild_graph(arguments: argparse.Namespace) -> None:
    """Runs `rebuild-graph`."""
    async with _maintenance() as maintenance:
        with progress_bar() as bar:
            task = bar.add_task("projecting", total=None)
            rebuilt = await maintenance.rebuild(
                arguments.project,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    _print_rebuilt(rebuilt)
    if rebuilt.given_up:
        sys.exit(1)


def _print_report(report: GraphReport) -> None:
    out.print(f"{report.memories} memories compared, {report.pending} on their way to the graph")
    for kind, count in sorted((+report.differences).items()):
        examples = ", ".join(report.examples.get(kind, []))
        out.print(f"  {kind}: {count}" + (f"  ({escape(examples)})" if examples else ""))
    out.print("the graph is equal" if report.equal else "the graph differs")


def _print_rebuilt(rebuilt: Rebuilt) -> None:
    out.print(
        f"projected {rebuilt.memories} memories, dropped {rebuilt.unknown} that are gone, "
        f"tried {rebuilt.revived} again that were given up"
    )
    for kind, count in sorted((+rebuilt.mended).items()):
        out.print(f"  mended {kind}: {count}")
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
