"""A span for each statement of a call that is traced.

Names and attributes: https://opentelemetry.io/docs/specs/semconv/db/database-spans/
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from server.storage.statements import statement_name
from server.telemetry.spans import past_span

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]


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
    """Called by asyncpg shortly after the statement, in the context of its sender."""
    name = statement_name(query.query)
    attributes = {
        "db.system.name": "postgresql",
        "db.namespace": query.conn_params.database,
        # Only the name: the text of a statement with a filter depends on the client's input.
        "db.query.summary": name,
    }
    if isinstance(query.exception, asyncpg.PostgresError):
        attributes["db.response.status_code"] = query.exception.sqlstate
    ended = time.time_ns()
    began = ended - int(query.elapsed * 1e9)
    past_span(name, began, ended, attributes, SpanKind.CLIENT, query.exception)
