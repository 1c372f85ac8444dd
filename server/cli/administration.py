"""`projects` and `keys`: administer projects and API keys."""

from __future__ import annotations

import argparse
import asyncio
import re
import sys
from dataclasses import asdict
from datetime import UTC, datetime, timedelta

from rich.markup import escape
from rich.table import Table

from server.cli.backends import opened
from server.cli.console import err, fail, out, progress_of, shown_time
from server.memories.scope import SCOPE_FIELDS, Scope
from server.projects.administration import KeyRights
from server.projects.project import ApiKey, KeyRole
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
    """Adds the commands."""
    _add_projects(commands)
    _add_keys(commands)


def _add_projects(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
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


_DURATION = re.compile(r"(\d{1,6})([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_SHOWN_ONCE = (
    "The key is printed on standard output and cannot be read again: only its digest is stored."
)


def _add_keys(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("keys", help="create, list, rotate and revoke API keys")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    _add_create(verbs)
    verbs.add_parser("list", help="list all keys").set_defaults(run=list_keys)
    rotate = verbs.add_parser(
        "rotate",
        help="replace a key by a new key with the same rights",
        description="Prints a new key with the same owner, role, scope, label and lifetime. The "
        f"old key stays valid for the overlap. {_SHOWN_ONCE}",
    )
    rotate.add_argument("key", help="id of the key, as `keys list` shows it")
    rotate.add_argument(
        "--overlap",
        type=duration,
        default=timedelta(days=1),
        help="how long the old key stays valid, such as 90m, 24h or 7d (default: 24h)",
    )
    rotate.set_defaults(run=rotate_key)
    revoke = verbs.add_parser(
        "revoke",
        help="revoke a key",
        description="Running servers refuse the key within 5 seconds.",
    )
    revoke.add_argument("key", help="id of the key, as `keys list` shows it")
    revoke.set_defaults(run=revoke_key)


def _add_create(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    create = verbs.add_parser(
        "create",
        help="create a key and print it, once",
        description=_SHOWN_ONCE,
    )
    owner = create.add_mutually_exclusive_group(required=True)
    owner.add_argument("--project", help="give the key access to this project")
    owner.add_argument("--org", help="give the key access to all projects of this organization")
    create.add_argument("--label", default="", help="purpose of the key")
    create.add_argument(
        "--role",
        type=KeyRole,
        choices=list(KeyRole),
        default=KeyRole.ADMIN,
        metavar="{" + ",".join(KeyRole) + "}",
        help="read: read only; write: also add, change and delete memories; admin: also change the "
        "project, delete across users, and read the audit log (default: %(default)s)",
    )
    create.add_argument(
        "--expires", type=duration, help="how long the key is valid, such as 12h or 90d"
    )
    for field in SCOPE_FIELDS:
        name = field.removesuffix("_id")
        create.add_argument(
            f"--{name}", dest=field, help=f"confine the key to this {name} (its {field})"
        )
    create.set_defaults(run=create_key)


def duration(text: str) -> timedelta:
    """Reads a duration such as `90m`, `24h` or `7d`.

    Raises:
        argparse.ArgumentTypeError: the text is not a duration.
    """
    found = _DURATION.fullmatch(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration such as 90m, 24h or 7d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


async def create_key(arguments: argparse.Namespace) -> None:
    """Runs `keys create`."""
    scope = Scope(**{field: getattr(arguments, field) for field in SCOPE_FIELDS})
    rights = KeyRights(arguments.role, scope if scope.parts() else None, arguments.expires)
    async with opened(open_administration) as administration:
        record, key = await administration.create_key(
            project_id=arguments.project,
            org_id=arguments.org,
            label=arguments.label,
            rights=rights,
        )
    err.print(f"created key {record.id}; it is shown only once:")
    out.print(key, markup=False)


async def list_keys(_arguments: argparse.Namespace) -> None:
    """Runs `keys list`."""
    async with opened(open_administration) as administration:
        keys = await administration.list_keys()
    table = Table(
        "key", "organization", "project", "label", "role", "scope", "created", "last used", "state"
    )
    now = datetime.now(UTC)
    for key in keys:
        table.add_row(
            key.id,
            escape(key.org_id),
            escape(key.project_id or "(all)"),
            escape(key.label),
            key.role,
            escape(_scope(key)),
            shown_time(key.create_time),
            shown_time(key.last_use_time),
            _state(key, now),
        )
    out.print(table)


def _scope(key: ApiKey) -> str:
    return " ".join(f"{field}={value}" for field, value in key.scope.parts()) if key.scope else ""


def _state(key: ApiKey, now: datetime) -> str:
    if key.revoke_time:
        return f"revoked {shown_time(key.revoke_time)}"
    if key.expire_time:
        return f"{'expires' if key.is_active(now) else 'expired'} {shown_time(key.expire_time)}"
    return "active"


async def rotate_key(arguments: argparse.Namespace) -> None:
    """Runs `keys rotate`."""
    async with opened(open_administration) as administration:
        record, key = await administration.rotate_key(arguments.key, arguments.overlap)
    err.print(
        f"created key {record.id}; key {arguments.key} stays valid for {arguments.overlap}; "
        "the new key is shown only once:",
        markup=False,
    )
    out.print(key, markup=False)


async def revoke_key(arguments: argparse.Namespace) -> None:
    """Runs `keys revoke`."""
    async with opened(open_administration) as administration:
        await administration.revoke_key(arguments.key)
    out.print(f"revoked key {arguments.key}", markup=False)
