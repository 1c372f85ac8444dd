"""The port `GraphReader` on Neo4j."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from neo4j import READ_ACCESS, AsyncDriver, AsyncManagedTransaction, unit_of_work

from server.adapters.circuit_breaker import BreakerState, CircuitBreaker
from server.adapters.neo4j import counting, exploring, reading, recalling
from server.adapters.neo4j.calls import (
    bounded_call,
    call_traced,
    guarded_call,
    transaction_metadata,
)
from server.domain.errors import GraphUnavailable
from server.domain.graph import EntityRef, StatedRelation
from server.domain.graph_recall import Recollection
from server.domain.request_context import current_request
from server.domain.statistics import GraphCounts
from server.ports.graph_reader import (
    EntityPage,
    EntityQuery,
    FoundEntity,
    RelationQuery,
    Surroundings,
    Within,
)

_RETRY_SECONDS = 0.5
_WARM_UP_SECONDS = 30.0

T = TypeVar("T")


class Neo4jGraphReader:
    """Reads a Neo4j database. It uses the driver and does not close it.

    `timeout` bounds a call as a whole, in seconds, retries included. The breaker refuses calls
    while the database does not answer.
    """

    def __init__(
        self,
        driver: AsyncDriver,
        breaker: CircuitBreaker,
        *,
        database: str = "neo4j",
        timeout: float = 5.0,
    ) -> None:
        self._driver = driver
        self._breaker = breaker
        self._database = database
        self._timeout = timeout

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        """See the port.

        Raises:
            ValueError: the scope names nothing.
        """
        return await self._read(reading.list_relations, query)

    async def find_entities(self, within: Within, name: str) -> list[FoundEntity]:
        """See the port."""
        return await self._read(exploring.find_entities, within, name)

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        """See the port."""
        return await self._read(exploring.list_entities, query)

    async def explore(self, within: Within, start: EntityRef, hops: int) -> Surroundings:
        """See the port."""
        return await self._read(exploring.explore, within, start, hops)

    async def recall(self, within: Within, names: Sequence[str]) -> Recollection:
        """See the port. Nothing is retried, and no transaction opened, which costs round trips."""
        metadata = transaction_metadata([current_request().correlation_id])
        with call_traced("recall", self._database):
            async with (
                guarded_call(self._breaker, self._timeout),
                self._driver.session(
                    database=self._database, default_access_mode=READ_ACCESS
                ) as session,
            ):
                return await recalling.recall(session, within, names, metadata, self._timeout)

    async def stay_warm(self, interval: float = 2.0) -> None:
        """Has what searches need planned while it does not come in time, until it is cancelled.

        After a start of Neo4j that takes seconds, which searches do not wait, and what they give up
        is never planned. `interval` is in seconds.
        """
        while True:
            await asyncio.sleep(interval)
            if self._breaker.state is not BreakerState.CLOSED:
                with suppress(GraphUnavailable):
                    await self._warm_up()

    async def _warm_up(self) -> None:
        async with (
            bounded_call(_WARM_UP_SECONDS),
            self._driver.session(database=self._database) as session,
        ):
            await recalling.warm_up(session, _WARM_UP_SECONDS)
        self._breaker.succeeded()

    async def count(self, project_id: str) -> GraphCounts:
        """See `server.ports.statistics.GraphCounter`."""
        return await self._read(counting.count, project_id)

    async def _read(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        bound: Callable[[AsyncManagedTransaction], Awaitable[T]] = unit_of_work(
            metadata=transaction_metadata([current_request().correlation_id]),
            timeout=self._timeout,
        )(work)
        with call_traced(work.__name__, self._database):
            async with (
                guarded_call(self._breaker, self._timeout),
                self._driver.session(
                    database=self._database, max_transaction_retry_time=_RETRY_SECONDS
                ) as session,
            ):
                return await session.execute_read(bound, *arguments)
