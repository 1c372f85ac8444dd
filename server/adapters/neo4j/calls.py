"""What holds for every call to Neo4j: an end in time, and errors in the domain's terms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager

from neo4j.exceptions import ClientError, DriverError, Neo4jError
from opentelemetry.trace import SpanKind

from server.adapters.circuit_breaker import CircuitBreaker
from server.domain.errors import GraphUnavailable
from server.domain.request_context import bounded, current_request
from server.telemetry.spans import span

_MAX_CORRELATION_IDS = 16
_ANSWERS = {"Statement", "Schema", "Procedure"}


@asynccontextmanager
async def bounded_call(seconds: float) -> AsyncIterator[None]:
    """Ends what is done within it after `seconds`, or at the current call's deadline if sooner.

    The driver has no read timeout of its own: a server that is stopped, not gone, would hang it.

    Raises:
        GraphUnavailable: time ran out, or the driver or the server reported an error.
        DeadlineExceeded: the current call's time ran out.
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
    """A bounded call that is not even tried while the breaker is open.

    Raises:
        GraphUnavailable: as `bounded_call`, or the breaker is open.
        DeadlineExceeded: the current call's time ran out.
    """
    current_request().remaining()
    if not breaker.admits():
        raise GraphUnavailable
    with breaker.told(is_failure=lambda error: not _is_answer(error.__cause__)):
        async with bounded_call(seconds):
            yield


def _is_answer(cause: BaseException | None) -> bool:
    """Whether the server is there and refuses what it was asked."""
    return isinstance(cause, ClientError) and cause.category in _ANSWERS


@contextmanager
def call_traced(name: str, database: str) -> Iterator[None]:
    """A span around one call of the database, if the current call is traced.

    https://opentelemetry.io/docs/specs/semconv/db/database-spans/
    """
    attributes = {
        "db.system.name": "neo4j",
        "db.namespace": database,
        "db.query.summary": name,
    }
    with span(name, attributes, SpanKind.CLIENT):
        yield


def transaction_metadata(correlation_ids: Iterable[str]) -> dict[str, object]:
    """What the server shows of a transaction (`SHOW TRANSACTIONS`, query log): on whose behalf."""
    distinct = list(dict.fromkeys(filter(None, correlation_ids)))
    return {"app": "memoir", "correlation_ids": distinct[:_MAX_CORRELATION_IDS]}
