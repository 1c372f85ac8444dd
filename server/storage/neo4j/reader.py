"""The port `GraphReader` on Neo4j."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from neo4j import (
    AsyncDriver,
    AsyncManagedTransaction,
    unit_of_work,
)

from server.core.circuit_breaker import CircuitBreaker
from server.core.request_context import current_request
from server.graph.model import EntityRef, StatedRelation
from server.graph.ports import (
    EntityPage,
    EntityQuery,
    FoundEntity,
    GraphScope,
    RelationQuery,
    Surroundings,
)
from server.projects.project import GraphCounts
from server.storage.neo4j import exploring
from server.storage.neo4j.calls import call_traced, guarded_call, transaction_metadata
from server.storage.neo4j.terms import given
from server.storage.statements import load_cypher

_CYPHER = load_cypher(__package__, "counting.cypher")


async def count(tx: AsyncManagedTransaction, project_id: str) -> GraphCounts:
    return GraphCounts(
        await _number(tx, "entities", project_id), await _number(tx, "relations", project_id)
    )


async def _number(tx: AsyncManagedTransaction, name: str, project_id: str) -> int:
    result = await tx.run(_CYPHER[name], given({"project_id": project_id}))
    record = await result.single(strict=True)
    return int(record["number"])


_RETRY_SECONDS = 0.5

T = TypeVar("T")


class Neo4jGraphReader:
    """Reads a Neo4j database for scopes that see whole graph spaces.

    It uses the driver and does not close it.

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
            ValueError: the scope does not see a whole graph space.
        """
        return await self._read(exploring.list_relations, query)

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        return await self._read(exploring.find_entities, within, name)

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        return await self._read(exploring.list_entities, query)

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        return await self._read(exploring.explore, within, start, hops)

    async def count(self, project_id: str) -> GraphCounts:
        """See `server.projects.ports.GraphCounter`."""
        return await self._read(count, project_id)

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
