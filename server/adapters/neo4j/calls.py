"""What holds for every call to Neo4j: an end in time, and errors in the domain's terms."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from neo4j.exceptions import DriverError, Neo4jError

from server.domain.errors import GraphUnavailable
from server.domain.request_context import bounded, current_request

_MAX_CORRELATION_IDS = 16


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


def transaction_metadata(correlation_ids: Iterable[str]) -> dict[str, object]:
    """What the server shows of a transaction (`SHOW TRANSACTIONS`, query log): on whose behalf."""
    distinct = list(dict.fromkeys(filter(None, correlation_ids)))
    return {"app": "memoir", "correlation_ids": distinct[:_MAX_CORRELATION_IDS]}
