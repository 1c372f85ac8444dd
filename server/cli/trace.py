"""`trace`: show what happened to one request."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Column, Table

from server.cli.backends import opened
from server.cli.console import out
from server.projects.ports import RequestTrace, TracedCall, TracedChange, TracedOperation
from server.runtime.composition.commands import open_projects

_IDS = ("correlation_id", "correlation_ids")
_SHOWN_ELSEWHERE = {"timestamp", "event", "level", "correlation_id", "correlation_ids", "exception"}


@dataclass(frozen=True, slots=True, order=True)
class TraceEntry:
    """One line of the output."""

    time: datetime
    what: str
    details: str


def add_to(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    parser = commands.add_parser(
        "trace",
        help="show what happened to one request",
        description="Prints what the database holds for a correlation id: the call with its models "
        "and tokens, the asynchronous operation, the memories that changed, and whether the graph "
        "has the changes. With --log also the events in a log. Texts are not printed.",
    )
    parser.add_argument("correlation_id", help="as in x-correlation-id, RequestInfo and the log")
    parser.add_argument("--project", help="only this project (default: all)")
    parser.add_argument("--log", type=Path, help="a log file of JSON lines")
    parser.set_defaults(run=trace)


async def trace(arguments: argparse.Namespace) -> None:
    """Runs `trace`. Ends with status 1 if nothing is found for the id."""
    async with opened(open_projects) as projects:
        found = await projects.trace(arguments.correlation_id, arguments.project)
    logged = _logged(arguments.log, arguments.correlation_id) if arguments.log else []
    entries = sorted([*stored_entries(found), *map(log_entry, logged)])
    if not entries:
        out.print(f"nothing is known about {arguments.correlation_id}", markup=False)
        sys.exit(1)
    table = Table(Column("time (UTC)", no_wrap=True), Column("what", no_wrap=True), "details")
    for entry in entries:
        table.add_row(
            f"{entry.time:%Y-%m-%d %H:%M:%S.%f}"[:-3], escape(entry.what), escape(entry.details)
        )
    out.print(table)


def _logged(path: Path, correlation_id: str) -> list[Mapping[str, Any]]:
    with path.open(encoding="utf-8", errors="replace") as file:
        return list(lines_of(correlation_id, file))


def stored_entries(trace: RequestTrace) -> Iterator[TraceEntry]:
    """Yields the entries from the database."""
    for operation in trace.operations:
        yield from _operation_entries(operation)
    for call in trace.calls:
        yield _call_entry(call)
    for change in trace.changes:
        yield _change_entry(change)


def log_entry(event: Mapping[str, Any]) -> TraceEntry:
    """Returns the entry for a log event, as `lines_of` yields them."""
    details = {key: value for key, value in event.items() if key not in _SHOWN_ELSEWHERE}
    time = datetime.fromisoformat(event["timestamp"])
    return TraceEntry(time, f"log {event.get('level', '')}: {event['event']}", _listed(details))


def _operation_entries(operation: TracedOperation) -> Iterator[TraceEntry]:
    name = {
        "project": operation.project_id,
        "operation": operation.operation_id,
        "key": operation.key_id,
        "peer": operation.peer,
    }
    yield TraceEntry(operation.create_time, "operation accepted", _listed(name))
    if operation.start_time is not None:
        attempts = {"operation": operation.operation_id, "attempts": operation.attempts}
        yield TraceEntry(operation.start_time, "operation begun", _listed(attempts))
    if operation.end_time is not None:
        ended = {"operation": operation.operation_id, "fault": operation.fault}
        yield TraceEntry(operation.end_time, f"operation {operation.state.lower()}", _listed(ended))


def _call_entry(call: TracedCall) -> TraceEntry:
    details = {
        "project": call.project_id,
        "call": call.call_id,
        "request_id": call.request_id,
        "key": call.key_id,
        "peer": call.peer,
        "messages": call.messages,
        "embedding_model": call.embedding_model,
        "language_model": call.language_model,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
    }
    return TraceEntry(call.time, f"call {call.method}", _listed(details))


def _change_entry(change: TracedChange) -> TraceEntry:
    graph = "in the graph" if change.in_graph else "not in the graph yet"
    if change.given_up:
        graph = "given up by the graph"
    details = {"memory": change.memory_id, "version": change.version, "graph": graph}
    return TraceEntry(
        change.time, f"memory {change.type.lower()}", _listed({**details, "fault": change.fault})
    )


def _listed(details: Mapping[str, object]) -> str:
    return "  ".join(f"{key}={value}" for key, value in details.items() if value is not None)


def lines_of(correlation_id: str, lines: Iterable[str]) -> Iterator[Mapping[str, Any]]:
    """Yields the events in JSON lines that have the id, alone or among the ids of a batch.

    Lines that are not JSON objects with a time are skipped.
    """
    for line in lines:
        if correlation_id not in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if isinstance(event, dict) and _has_id(event, correlation_id) and time_of(event):
            yield event


def time_of(event: Mapping[str, Any]) -> datetime | None:
    """Returns when the event was logged, if it says so."""
    try:
        return datetime.fromisoformat(str(event.get("timestamp")))
    except ValueError:
        return None


def _has_id(event: Mapping[str, Any], correlation_id: str) -> bool:
    for key in _IDS:
        named = event.get(key, ())
        ids = named.split(",") if isinstance(named, str) else named
        if isinstance(ids, list) and correlation_id in ids:
            return True
    return False
