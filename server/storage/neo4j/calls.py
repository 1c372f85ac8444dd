"""The connection to Neo4j, the time limit of its calls, and the mapping of its errors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from neo4j import AsyncDriver, AsyncGraphDatabase, NotificationMinimumSeverity
from neo4j.exceptions import ClientError, DriverError, Neo4jError
from opentelemetry.trace import SpanKind

from server.core.circuit_breaker import CircuitBreaker
from server.core.request_context import bounded, current_request
from server.core.transient_errors import GraphUnavailable
from server.core.values import Neo4jAddress
from server.telemetry.spans import span

DATABASE = "neo4j"
"""The only database that Neo4j's Community edition has for users."""

_CONNECTION_SECONDS = 3.0


def open_driver(address: Neo4jAddress) -> AsyncDriver:
    """Returns a pool of connections, which connects at its first use. The caller closes it.

    The URI is `bolt://host:port` for one server, `neo4j://...` for a cluster, with `+s` appended
    to the scheme for TLS.

    Raises:
        neo4j.exceptions.ConfigurationError: the URI has another scheme.
    """
    return AsyncGraphDatabase.driver(
        address.uri,
        auth=(address.user, address.password),
        max_connection_pool_size=32,
        connection_timeout=_CONNECTION_SECONDS,
        connection_write_timeout=_CONNECTION_SECONDS,
        connection_acquisition_timeout=5.0,
        # Deadlocks end within milliseconds; by default the driver waits a second before a retry.
        initial_retry_delay=0.05,
        # An idle connection may be dead unnoticed, for example after a restart.
        liveness_check_timeout=30.0,
        # On an empty database every statement would return "unknown label" notifications.
        notifications_min_severity=NotificationMinimumSeverity.OFF,
        telemetry_disabled=True,
        user_agent="memoir",
    )


_MAX_CORRELATION_IDS = 16
_ANSWERS = {"Statement", "Schema", "Procedure"}


@asynccontextmanager
async def bounded_call(seconds: float) -> AsyncIterator[None]:
    """Cancels the block after `seconds`, or at the current call's deadline if sooner.

    The driver has no read timeout, so a frozen server would block it forever.

    Raises:
        GraphUnavailable: the time is up, or the driver or the server reported an error.
        DeadlineExceeded: the current call's deadline has passed.
    """
    try:
        async with asyncio.timeout(bounded(seconds)):
            yield
    except TimeoutError as error:
        current_request().remaining()
        raise GraphUnavailable from error
    except (DriverError, Neo4jError) as error:
        raise GraphUnavailable from error


@asynccontextmanager
async def guarded_call(breaker: CircuitBreaker, seconds: float) -> AsyncIterator[None]:
    """Like `bounded_call`, but fails at once while the breaker is open.

    Raises:
        GraphUnavailable: as `bounded_call`, or the breaker is open.
        DeadlineExceeded: the current call's deadline has passed.
    """
    current_request().remaining()
    if not breaker.admits():
        raise GraphUnavailable(is_starting=breaker.awaits_start)
    try:
        with breaker.record_outcome(is_failure=lambda error: not _is_answer(error.__cause__)):
            async with bounded_call(seconds):
                yield
    except GraphUnavailable as error:
        if breaker.awaits_start:
            raise GraphUnavailable(is_starting=True) from error.__cause__
        raise


def _is_answer(cause: BaseException | None) -> bool:
    """Whether the error shows that the server is up and rejected the request."""
    return isinstance(cause, ClientError) and cause.category in _ANSWERS


@contextmanager
def call_traced(name: str) -> Iterator[None]:
    """Runs the block in a span of a database call, if the current call is traced.

    https://opentelemetry.io/docs/specs/semconv/db/database-spans/
    """
    attributes = {
        "db.system.name": "neo4j",
        "db.namespace": DATABASE,
        "db.query.summary": name,
    }
    with span(name, attributes, SpanKind.CLIENT):
        yield


def transaction_metadata(correlation_ids: Iterable[str]) -> dict[str, object]:
    """Returns metadata that `SHOW TRANSACTIONS` and the query log show: the correlation ids."""
    distinct = list(dict.fromkeys(filter(None, correlation_ids)))
    return {"app": "memoir", "correlation_ids": distinct[:_MAX_CORRELATION_IDS]}
