"""A span for each statement of a call that is traced.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/db/database-spans/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from server.adapters.statements import statement_name
from server.telemetry.spans import past_span

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery

    from server.adapters.postgres.pool import Connection


def trace_statements(connection: Connection) -> bool:
    """Makes a span of every statement from now on if the current call is traced, else not."""
    if not trace.get_current_span().is_recording():
        return False
    connection.add_query_logger(_record)
    return True


def stop_tracing(connection: Connection) -> None:
    """Ends what `trace_statements` began."""
    connection.remove_query_logger(_record)


def _record(query: LoggedQuery) -> None:
    """Called by asyncpg a moment after the statement, with the context of who sent it."""
    name = statement_name(query.query)
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": query.conn_params.database,
        # The name and never the text, which for a filter is made of what a client asks.
        "db.query.summary": name,
    }
    if isinstance(query.exception, asyncpg.PostgresError):
        attributes["db.response.status_code"] = query.exception.sqlstate
    ended = time.time_ns()
    began = ended - int(query.elapsed * 1e9)
    past_span(name, began, ended, attributes, SpanKind.CLIENT, query.exception)
