"""Connections to PostgreSQL: a bounded pool that projects share fairly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import asyncpg
import structlog
from pydantic import BaseModel, ConfigDict, Field

from server.core.background import Background
from server.core.fairness import ActiveTenants, FairPlaces
from server.core.request_context import bounded, current_project, current_tenant
from server.core.transient_errors import Overloaded, StoreUnavailable
from server.projects.ports import PoolUsage
from server.storage.postgres.connections import (
    ConfinedConnection,
    SpareConnections,
    confined,
    prepare,
    reset_nothing,
    stop_tracing,
    trace_statements,
)
from server.storage.postgres.long_statements import LongStatements
from server.storage.postgres.statements import BoundStatement
from server.telemetry.metrics import POOL_WAIT_SECONDS
from server.telemetry.outages import OutageLog

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]
    Pool = asyncpg.Pool[asyncpg.Record]

# Errors of PostgreSQL or the network, not of the statement: the same call can succeed later.
UNAVAILABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # A connection that died during a statement raises this for the next statement.
    asyncpg.InternalClientError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.UndefinedTableError,
)
OUTAGE_ERRORS = (TimeoutError, *UNAVAILABLE)

# How long a cancelled statement may take to end before its connection is closed.
RELEASE_SECONDS = 1.0

# For an index of vectors: it skips vectors of other scopes until enough of the right scope are
# found, which are sorted later. It reads 200 at a time; no scope that is searched with the index
# needs more than 100,000 (see vector_index.py).
# https://github.com/pgvector/pgvector#iterative-index-scans
_VECTOR_INDEX = {
    "hnsw.iterative_scan": "relaxed_order",
    "hnsw.ef_search": "200",
    "hnsw.max_scan_tuples": "100000",
}

log = structlog.get_logger()


class PostgresOptions(BaseModel):
    """Limits of the pool. Times are in seconds."""

    model_config = ConfigDict(frozen=True)

    pool_size: int = Field(default=16, ge=1, le=1000, description="Maximum of connections.")
    acquire_timeout: float = Field(default=2.0, gt=0, description="Wait for a connection.")
    statement_timeout: float = Field(default=30.0, gt=0, description="Time for one statement.")


@asynccontextmanager
async def open_database(dsn: str, options: PostgresOptions) -> AsyncIterator[Database]:
    """Opens the database for the block.

    It connects at its first use, so that a server can start while its database is unavailable.
    """
    pool = await asyncpg.create_pool(
        dsn,
        min_size=0,
        max_size=options.pool_size,
        connection_class=ConfinedConnection,
        init=prepare,
        reset=reset_nothing,
        # Whoever waits for a connection also waits for a new one.
        timeout=options.acquire_timeout,
        command_timeout=options.statement_timeout,
        # Otherwise statements of more than 15 KiB would be parsed and planned each time.
        max_cacheable_statement_size=0,
        server_settings={
            "application_name": "memoir",
            # Compiling a statement would take longer than the statement itself should.
            "jit": "off",
            # Otherwise a statement whose connection was closed would run to its end.
            "client_connection_check_interval": "1000",
            "statement_timeout": str(int(options.statement_timeout * 1000)),
            "timezone": "UTC",
            **_VECTOR_INDEX,
        },
    )
    try:
        yield Database(pool, options)
    finally:
        pool.terminate()


# Connections that are reserved for the service's own work, such as operations and readiness.
_RESERVED = 2


class Database:
    """The pool, which bounds waits for connections and translates errors.

    Tenants share the connections fairly (see `server.core.fairness`).
    """

    def __init__(self, pool: Pool, options: PostgresOptions) -> None:
        self.pool = pool
        self._options = options
        # For each place there is a connection among the spare ones or in the pool.
        self._active = ActiveTenants()
        self._places = FairPlaces(options.pool_size, _RESERVED, self._active.share)
        self._uses = 0
        self._long = LongStatements(
            options.pool_size, options.acquire_timeout, options.statement_timeout, self._active
        )
        self._spares = SpareConnections(self._release_later)
        self._releases = Background("connection-release")
        self._outage = OutageLog(log, began="postgres.unavailable", ended="postgres.available")

    def usage(self) -> PoolUsage:
        """Returns the current use of the pool."""
        pool = self.pool
        idle = pool.get_idle_size() + len(self._spares)
        return PoolUsage(pool.get_size(), idle, pool.get_max_size())

    async def renew_connections(self) -> None:
        """Replaces every connection before it is used again."""
        self._spares.return_all()
        await self.pool.expire_connections()

    def connection(self) -> TakenConnection:
        """Returns a block that holds a connection, for a few statements.

        A call that is cancelled, for example at its deadline, does not wait for its statement to
        end, because a frozen server would never end it.

        Raises:
            Overloaded: other calls used the connections of the call's share for too long.
            StoreUnavailable: PostgreSQL is unavailable, or the schema is missing.
            DeadlineExceeded: the call's deadline has passed.
        """
        return TakenConnection(self)

    async def fetch(self, statement: BoundStatement) -> list[asyncpg.Record]:
        """Runs one statement and returns its rows.

        Raises what `connection` raises, as do the three methods below.
        """
        async with self.connection() as connection:
            return await connection.fetch(*statement)

    async def fetchrow(self, statement: BoundStatement) -> asyncpg.Record | None:
        """Runs one statement and returns its first row, if any."""
        async with self.connection() as connection:
            return await connection.fetchrow(*statement)

    async def fetchval(self, statement: BoundStatement) -> Any:
        """Runs one statement and returns the first value of its first row; None without a row."""
        async with self.connection() as connection:
            return await connection.fetchval(*statement)

    async def execute(self, statement: BoundStatement) -> str:
        """Runs one statement and returns PostgreSQL's summary, such as `DELETE 1`."""
        async with self.connection() as connection:
            return await connection.execute(*statement)

    @asynccontextmanager
    async def long_read(self) -> AsyncIterator[Connection]:
        """Yields a connection for a read of every value of a scope.

        Raises:
            Overloaded: too many of these run, or it took longer than it may while others wait.
            StoreUnavailable: as for `connection`.
            DeadlineExceeded: the call's deadline has passed.
        """
        async with self._long.room(), self._long.time_to_read(), self.connection() as connection:
            yield connection

    @asynccontextmanager
    async def long_write(self) -> AsyncIterator[Connection]:
        """Yields a connection for a write that reads every value of a scope.

        Raises:
            Overloaded: too many of these run.
            StoreUnavailable: as for `connection`.
            DeadlineExceeded: the call's deadline has passed.
        """
        async with self._long.room(), self.connection() as connection:
            yield connection

    async def take(self, tenant: str | None) -> Connection:
        """Takes a connection of the tenant's share, which must be given back.

        Raises:
            Overloaded: no connection became free in time, although PostgreSQL did work.
            TimeoutError: no connection became free or could be made in time.
        """
        if tenant is not None:
            self._active.note(tenant)
        seconds = bounded(self._options.acquire_timeout)
        project_id = current_project()
        has_place = self._places.take_now(tenant)
        connection = self._spares.take(project_id) if has_place else None
        if connection is not None and confined(connection).shows(project_id):
            POOL_WAIT_SECONDS.observe(0.0)
            return connection
        with POOL_WAIT_SECONDS.time():
            # The pool's own timeout would create a task for every wait.
            end = asyncio.get_running_loop().time() + seconds
            if not has_place:
                await self._wait_for_place(tenant, end)
            async with asyncio.timeout_at(end):
                try:
                    if connection is None:
                        connection = self._spares.take(project_id)
                    if connection is None:
                        connection = await self.pool.acquire()
                except BaseException:
                    self._places.give_back(tenant)
                    raise
                if not confined(connection).shows(project_id):
                    await self._show(connection, project_id, tenant)
                return connection

    async def _wait_for_place(self, tenant: str | None, end: float) -> None:
        uses = self._uses
        try:
            async with asyncio.timeout_at(end):
                await self._places.take(tenant)
        except TimeoutError as error:
            # If no use of a connection ended meanwhile, PostgreSQL is probably frozen.
            if tenant is None or self._uses == uses:
                raise
            raise Overloaded from error

    async def _show(
        self, connection: Connection, project_id: str | None, tenant: str | None
    ) -> None:
        try:
            await confined(connection).show(project_id)
        except BaseException as error:
            await self.give_back(connection, tenant, error)
            raise

    async def give_back(
        self, connection: Connection, tenant: str | None, error: BaseException | None
    ) -> None:
        """Returns a connection to the pool, after a block that ended with `error`, if any.

        A healthy connection is kept for the next call; a failed one is closed.
        """
        if error is None:
            self._uses += 1
            self._spares.put(connection)
            self._places.give_back(tenant)
            return
        if isinstance(error, asyncio.CancelledError):
            self._release_later(connection, lambda: self._places.give_back(tenant))
            return
        try:
            if isinstance(error, UNAVAILABLE) and not isinstance(error, asyncpg.QueryCanceledError):
                connection.terminate()
            await self.pool.release(connection)
        finally:
            self._places.give_back(tenant)

    def report(self, error: BaseException | None) -> None:
        """Logs an outage of PostgreSQL, or its end.

        Raises:
            StoreUnavailable: `error` shows that it is unavailable.
        """
        if error is None:
            self._outage.succeeded()
        elif isinstance(error, OUTAGE_ERRORS):
            self._outage.failed(error=type(error).__name__, detail=str(error))
            raise StoreUnavailable from error

    def _release_later(
        self, connection: Connection, afterwards: Callable[[], None] = lambda: None
    ) -> None:
        self._releases.start(self._release(connection), on_end=afterwards)

    async def _release(self, connection: Connection) -> None:
        try:
            # The pool closes a connection that is not returned in time.
            await self.pool.release(connection, timeout=RELEASE_SECONDS)
        except OUTAGE_ERRORS as error:
            log.warning("postgres.connection_given_up", error=type(error).__name__)


class TakenConnection:
    """The block of `Database.connection`; a class, because that is cheaper than a generator."""

    __slots__ = ("_connection", "_database", "_tenant", "_traced")

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None
        self._tenant = current_tenant()
        self._traced = False

    async def __aenter__(self) -> Connection:
        try:
            self._connection = await self._database.take(self._tenant)
        except OUTAGE_ERRORS as error:
            self._database.report(error)
            raise
        self._traced = trace_statements(self._connection)
        return self._connection

    async def __aexit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _at: object
    ) -> None:
        assert self._connection is not None
        if self._traced:
            stop_tracing(self._connection)
        try:
            await self._database.give_back(self._connection, self._tenant, error)
        except OUTAGE_ERRORS as failed:
            self._database.report(failed)
        self._database.report(error)
