"""Connections of the pool: preparation, row-level security, reuse, tracing and transactions."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, Final, cast
from uuid import UUID

import asyncpg
import orjson
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from server.storage.postgres.statements import load_sql
from server.storage.statements import statement_name
from server.telemetry.spans import past_span, span

if TYPE_CHECKING:
    from asyncpg.connection import LoggedQuery
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    _Connection = asyncpg.Connection[asyncpg.Record]
else:
    _Connection = asyncpg.Connection

ALL_PROJECTS: Final = "*"
"""The setting for all projects, for the service's own work and the command line."""

SQL = load_sql("connections.sql")


class ConfinedConnection(_Connection):
    """A connection that shows only the rows of one project, if row-level security applies to it.

    Every table with a `project_id` has row-level security: a role that is subject to it sees the
    rows of the project in the session's setting `memoir.project`, and none without it. Superusers
    and roles with BYPASSRLS are not subject to it, and so need no setting.
    https://www.postgresql.org/docs/current/ddl-rowsecurity.html
    """

    __slots__ = ("_is_subject", "_shown")

    def __init__(self, *arguments: Any, **options: Any) -> None:
        """Takes the same arguments as asyncpg's connection."""
        super().__init__(*arguments, **options)
        self._is_subject = False
        self._shown: str | None = None

    def subject_to_row_security(self) -> None:
        """Declares that the connection's role is subject to row-level security."""
        self._is_subject = True

    def shows(self, project_id: str | None) -> bool:
        """Whether it already shows the rows of this project; None means all projects."""
        return not self._is_subject or self._shown == (project_id or ALL_PROJECTS)

    async def show(self, project_id: str | None) -> None:
        """Shows only the rows of this project from now on. Costs a round trip."""
        shown = project_id or ALL_PROJECTS
        # Unknown until the response arrives, because the statement may be interrupted.
        self._shown = None
        await self.execute(*SQL["show"](shown=shown))
        self._shown = shown


def confined(connection: PoolConnectionProxy[asyncpg.Record]) -> ConfinedConnection:
    """Returns the connection as a `ConfinedConnection`, to which the pool's proxy delegates."""
    return cast("ConfinedConnection", connection)


RETURN_SECONDS: Final = 10.0
"""How often all spare connections return to the pool."""


class SpareConnections:
    """Connections that were recently released, ready for the next call.

    asyncpg's pool takes 0.1 ms to acquire and release a connection, a third of a short statement:
    among other things, it starts a task for each release. Connections in steady use therefore stay
    outside of it, and return to it periodically, so that it still replaces old ones and closes idle
    ones.
    """

    def __init__(self, give_back: Callable[[Connection], None]) -> None:
        """`give_back` returns a connection to the pool, even if it is closed."""
        self._give_back = give_back
        self._connections: list[Connection] = []
        self._timer: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._connections)

    def take(self, project_id: str | None) -> Connection | None:
        """Returns the most recently used connection, whose caches are warm, or None.

        With row-level security, this is the last connection that showed the project's rows, else
        the least recently used one, so that busy projects keep their connections.
        """
        while self._connections:
            connection = self._connections.pop(self._best_for(project_id))
            if _is_open(connection):
                return connection
            self._give_back(connection)
        return None

    def _best_for(self, project_id: str | None) -> int:
        for index in range(len(self._connections) - 1, -1, -1):
            connection = self._connections[index]
            if not _is_open(connection) or confined(connection).shows(project_id):
                return index
        return 0

    def put(self, connection: Connection) -> None:
        """Keeps a healthy connection, which must be open and not in a transaction."""
        self._connections.append(connection)
        if self._timer is None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(RETURN_SECONDS, self.return_all)

    def return_all(self) -> None:
        """Returns all of them to the pool."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._connections:
            self._give_back(self._connections.pop())


def _is_open(connection: Connection) -> bool:
    try:
        return not connection.is_closed()
    except asyncpg.InterfaceError:
        # The pool has already reclaimed it, because the server closed it.
        return False


def trace_statements(connection: Connection) -> bool:
    """Creates a span for every statement from now on if the current call is traced."""
    if not trace.get_current_span().is_recording():
        return False
    connection.add_query_logger(_record)
    return True


def stop_tracing(connection: Connection) -> None:
    """Undoes `trace_statements`."""
    connection.remove_query_logger(_record)


def _record(query: LoggedQuery) -> None:
    """Called by asyncpg shortly after the statement, in the context of its sender.

    Names and attributes: https://opentelemetry.io/docs/specs/semconv/db/database-spans/
    """
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


def _to_json(value: object) -> str:
    try:
        return orjson.dumps(value, default=_as_text).decode()
    except orjson.JSONEncodeError:
        # The slower encoder accepts integers of more than 64 bits, which an archive may contain.
        return json.dumps(value, default=_as_text)


def _as_text(value: object) -> str:
    """Ids and times as PostgreSQL reads them, where the encoder does not know their type."""
    if isinstance(value, UUID | date):
        return str(value)
    raise TypeError(f"{type(value).__name__} in JSON")


async def prepare(connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Sets the codecs of a new connection, and whether it is subject to row-level security."""
    await connection.set_type_codec(
        "jsonb", schema="pg_catalog", encoder=_to_json, decoder=orjson.loads
    )
    # asyncpg itself would make `date.max` infinite, which no client means by 9999-12-31.
    await connection.set_type_codec(
        "date", schema="pg_catalog", encoder=date.isoformat, decoder=date.fromisoformat
    )
    facts = await connection.fetchrow(*SQL["facts"]())
    assert facts is not None
    if facts["has_vectors"]:
        # Binary, as they are sent; `to_halfvec` and `from_halfvec` convert them.
        await connection.set_type_codec("halfvec", encoder=bytes, decoder=bytes, format="binary")
    if facts["has_row_security"] and isinstance(connection, ConfinedConnection):
        connection.subject_to_row_security()


async def reset_nothing(_connection: asyncpg.Connection[asyncpg.Record]) -> None:
    """Does not reset a released connection.

    asyncpg would undo settings, cursors and advisory locks with another statement, a round trip for
    each use. Nothing here creates them; asyncpg itself rolls back open transactions.
    """


@asynccontextmanager
async def transaction(connection: Connection) -> AsyncIterator[None]:
    """Runs the block in a transaction.

    If it is cancelled, its connection is closed, which makes the server roll back: waiting for a
    frozen server could take forever.
    """
    started = connection.transaction()
    with span("transaction"):
        await started.start()
        try:
            yield
        except asyncio.CancelledError:
            connection.terminate()
            raise
        except BaseException:
            await started.rollback()
            raise
        else:
            await started.commit()
