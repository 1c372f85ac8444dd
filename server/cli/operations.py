"""`operations`: list, show and retry asynchronous calls."""

from __future__ import annotations

import argparse
from uuid import UUID

from rich.markup import escape
from rich.table import Column, Table

from server.cli.backends import opened
from server.cli.console import out, shown_time
from server.core.errors import OperationNotFound
from server.operations.operation import OperationState
from server.runtime.composition.commands import open_operations


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser("operations", help="list, show and retry asynchronous calls")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    listing = verbs.add_parser("list", help="list operations, newest first")
    listing.add_argument("--state", choices=[*OperationState], help="only operations in this state")
    listing.add_argument("--limit", type=int, default=50, help="at most (default: %(default)s)")
    listing.set_defaults(run=list_operations)
    show = verbs.add_parser("show", help="show one operation")
    show.set_defaults(run=show_operation)
    retry = verbs.add_parser("retry", help="queue a failed operation again")
    retry.set_defaults(run=retry_operation)
    for verb in (listing, show, retry):
        verb.add_argument("--project", required=True, help="project of the operations")
    for verb in (show, retry):
        verb.add_argument("operation", type=UUID, help="id of the operation")


async def list_operations(arguments: argparse.Namespace) -> None:
    """Runs `operations list`."""
    states = [OperationState(arguments.state)] if arguments.state else None
    async with opened(open_operations) as operations:
        statistics = await operations.queue_statistics(arguments.project)
        found = await operations.list(arguments.project, states, arguments.limit, None)
    table = Table(Column("operation", no_wrap=True), "state", "attempts", "created", "fault")
    for operation in found:
        table.add_row(
            str(operation.id),
            operation.state,
            str(operation.attempts),
            shown_time(operation.create_time),
            escape(operation.fault or ""),
        )
    out.print(table)
    out.print(
        f"{statistics.queued} queued, {statistics.running} running, {statistics.given_up} failed; "
        f"the oldest unfinished one is {statistics.oldest_seconds:.0f} s old"
    )


async def show_operation(arguments: argparse.Namespace) -> None:
    """Runs `operations show`."""
    async with opened(open_operations) as operations:
        operation = await operations.get(arguments.project, arguments.operation)
    if operation is None:
        raise OperationNotFound(arguments.operation)
    table = Table(show_header=False)
    for name, value in (
        ("operation", str(operation.id)),
        ("state", operation.state),
        ("attempts", str(operation.attempts)),
        ("fault", operation.fault or ""),
        ("correlation id", operation.correlation_id),
        ("created", shown_time(operation.create_time)),
        ("started", shown_time(operation.start_time)),
        ("ended", shown_time(operation.end_time)),
        ("next attempt", shown_time(operation.next_attempt_time)),
    ):
        table.add_row(name, escape(value))
    out.print(table)


async def retry_operation(arguments: argparse.Namespace) -> None:
    """Runs `operations retry`."""
    async with opened(open_operations) as operations:
        if not await operations.revive(arguments.project, arguments.operation):
            raise OperationNotFound(arguments.operation)
    out.print(f"queued {arguments.operation} again", markup=False)
