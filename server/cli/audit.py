"""`audit`: show or export the log of administrative acts."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from rich.markup import escape
from rich.table import Column, Table

from server.cli.administration import duration
from server.cli.backends import opened
from server.cli.console import out, shown_time
from server.projects.administration import all_events
from server.projects.project import AuditEvent
from server.runtime.composition.commands import open_projects

SHOWN = 100


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "audit",
        help="show or export the audit log",
        description="Prints administrative and destructive acts: keys, projects, settings, "
        f"deletions, restorations, retention. Shows the latest {SHOWN} as a table, or with "
        "--export all of them as JSON Lines on standard output, oldest first.",
    )
    parser.add_argument("--project", help="acts in this project only (default: all)")
    parser.add_argument(
        "--since",
        type=duration,
        default=timedelta(days=36_600),
        help="no older than this, such as 24h or 30d (default: all)",
    )
    parser.add_argument("--export", action="store_true", help="print JSON Lines")
    parser.set_defaults(run=audit)


async def audit(arguments: argparse.Namespace) -> None:
    """Runs `audit`."""
    since = datetime.now(UTC) - arguments.since
    async with opened(open_projects) as projects:
        if arguments.export:
            async for event in all_events(projects, arguments.project, since):
                sys.stdout.write(json_line(event))
        else:
            latest = await projects.latest_audit_events(arguments.project, 0, SHOWN)
            out.print(_table([event for event in reversed(latest) if event.time >= since]))


def json_line(event: AuditEvent) -> str:
    """Returns the event as one line of JSON, with every field."""
    fields = {
        "id": str(event.id),
        "time": event.time.isoformat(),
        "project_id": event.project_id,
        "org_id": event.org_id,
        "action": event.action,
        "key_id": event.key_id,
        "peer": event.peer,
        "correlation_id": event.correlation_id,
        "target": event.target,
        "before": event.before,
        "after": event.after,
    }
    return json.dumps(fields, ensure_ascii=False) + "\n"


def _table(events: Sequence[AuditEvent]) -> Table:
    table = Table(
        Column("time (UTC)", no_wrap=True), "project", "action", "key", "peer", "target", "now"
    )
    for event in events:
        table.add_row(
            shown_time(event.time),
            escape(event.project_id or ""),
            event.action,
            event.key_id or "",
            escape(event.peer or ""),
            escape(json.dumps(event.target)),
            escape(json.dumps(event.after)),
        )
    return table
