"""`projects`: create, list, limit and delete projects."""

from __future__ import annotations

import argparse
import asyncio
import sys
from dataclasses import asdict

from rich.markup import escape
from rich.table import Table

from server.cli.backends import opened
from server.cli.console import err, fail, out, progress_of, shown_time
from server.runtime.composition.commands import open_administration, open_project_deletion

DEFAULT_ORG = "default"
QUOTAS = {
    "memories": "memories that the project may hold",
    "bytes": "bytes of the texts of its memories and messages",
    "calls_per_second": "calls a second, in each serving process",
    "calls": "concurrent calls, in each serving process",
    "streams": "open streams, in each serving process",
}


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("projects", help="create, list, limit and delete projects")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    create = verbs.add_parser("create", help="create a project")
    create.add_argument("project", help="id of the project, 1 to 64 characters")
    create.add_argument(
        "--org", default=DEFAULT_ORG, help="organization of the project (default: %(default)s)"
    )
    create.set_defaults(run=create_project)
    verbs.add_parser("list", help="list all projects").set_defaults(run=list_projects)
    quota = verbs.add_parser(
        "quota",
        help="show or set the quotas of a project",
        description="Sets the given quotas and prints all of them. 0 removes a quota. "
        "Running servers apply them within a few seconds.",
    )
    quota.add_argument("project", help="id of the project")
    for name, meaning in QUOTAS.items():
        quota.add_argument(f"--{name.replace('_', '-')}", type=int, metavar="N", help=meaning)
    quota.set_defaults(run=set_quotas)
    delete = verbs.add_parser(
        "delete",
        help="delete a project and everything in it",
        description="Permanently deletes the keys, memories, history, messages and operations of a "
        "project. Safe to interrupt and repeat. Running servers refuse the project within "
        "5 seconds, and remove its memories from the graph.",
    )
    delete.add_argument("project", help="id of the project")
    delete.add_argument("--yes", action="store_true", help="do not ask for confirmation")
    delete.set_defaults(run=delete_project)


async def create_project(arguments: argparse.Namespace) -> None:
    """Runs `projects create`."""
    async with opened(open_administration) as administration:
        project = await administration.create_project(arguments.project, arguments.org)
    out.print(f"created project {project.id} of organization {project.org_id}", markup=False)


async def set_quotas(arguments: argparse.Namespace) -> None:
    """Runs `projects quota`."""
    given = {name: getattr(arguments, name) for name in QUOTAS}
    changes = {name: value for name, value in given.items() if value is not None}
    async with opened(open_administration) as administration:
        if changes:
            await administration.set_quotas(arguments.project, changes)
        use = await administration.storage_use(arguments.project)
    table = Table("quota", "limit", "held")
    held = {"memories": use.memories, "bytes": use.bytes}
    for name, limit in asdict(use.quotas).items():
        table.add_row(
            name, str(limit) if limit else "none", str(held[name]) if limit and name in held else ""
        )
    out.print(table)


async def list_projects(_arguments: argparse.Namespace) -> None:
    """Runs `projects list`."""
    async with opened(open_administration) as administration:
        projects = await administration.list_projects()
    table = Table("organization", "project", "created", "state")
    for project in projects:
        table.add_row(
            escape(project.org_id),
            escape(project.id),
            shown_time(project.create_time),
            "being deleted" if project.delete_time else "",
        )
    out.print(table)


async def delete_project(arguments: argparse.Namespace) -> None:
    """Runs `projects delete`."""
    project = arguments.project
    if not arguments.yes:
        await asyncio.to_thread(_confirm, project)
    async with opened(open_project_deletion) as delete:
        with progress_of("deleting") as report:
            deleted = await delete(project, report)
    for table, count in deleted.items():
        out.print(f"{count} rows of {table}", markup=False)
    out.print(f"deleted project {project}", markup=False)
    if memories := deleted["memories"]:
        err.print(f"{memories} memories will be removed from the graph as soon as a server runs")


def _confirm(project: str) -> None:
    """Asks for the project's id, so that nothing is deleted by accident.

    Raises:
        SystemExit: the deletion was not confirmed, or standard input is not a terminal.
    """
    if not sys.stdin.isatty():
        fail("cannot ask for confirmation without a terminal; use --yes")
    err.print(f"Everything in the project {escape(project)} will be deleted permanently.")
    if input("Type its id to continue: ") != project:
        fail("not confirmed; nothing was deleted")
