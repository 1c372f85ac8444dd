"""The port `GraphReader` on Neo4j."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, TypeVar

from neo4j import (
    READ_ACCESS,
    AsyncDriver,
    AsyncManagedTransaction,
    AsyncSession,
    Query,
    Record,
    unit_of_work,
)

from server.core.circuit_breaker import BreakerState, CircuitBreaker
from server.core.errors import GraphUnavailable
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
from server.memories.scope import Scope
from server.memories.search.graph_clues import Clue, Recollection
from server.projects.project import GraphCounts
from server.storage.neo4j import exploring
from server.storage.neo4j.calls import bounded_call, call_traced, guarded_call, transaction_metadata
from server.storage.neo4j.terms import KEEP_PLAN, alias_term, given, index_key
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


MOST_ENTITIES: Final = 16
"""How many entities of a question are followed, those with the fewest relations."""

NEAR: Final = 50
"""How many relations of such an entity count, the newest."""

FAR: Final = 50
"""How many relations one further on count."""

WIDEST: Final = 100
"""Through an entity with more relations than that nothing is found."""

_MAX_CLAUSES: Final = 900


async def recall(
    session: AsyncSession,
    within: GraphScope,
    names: Sequence[str],
    metadata: Mapping[str, object],
    seconds: float,
) -> Recollection:
    """Runs one statement, and one more if it finds nothing or the scope names no user."""

    async def run(name: str, /, **more: Any) -> list[Record]:
        text = KEEP_PLAN + exploring.statement(name)
        query = Query(text, metadata=dict(metadata), timeout=seconds)
        result = await session.run(query, given(exploring.parameters(within, **more)))
        return [record async for record in result]

    spaces = await exploring.spaces_of(run, within)
    keys = [index_key(name) for name in names]
    aliases = [alias_term(within.project_id, space, name) for name in names for space in spaces]
    rows = await run(
        "recall",
        refs=[{"space": space, "key": key} for key in keys for space in spaces],
        keys=keys,
        spaces=spaces,
        aliases=" OR ".join(aliases[:_MAX_CLAUSES]),
        most_entities=MOST_ENTITIES,
        near=NEAR,
        far=FAR,
        widest=WIDEST,
    )
    if rows:
        return Recollection([_clue(row) for row in rows])
    return Recollection([], has_entities=bool(await run("any_entity", spaces=spaces)))


async def warm_up(session: AsyncSession, seconds: float) -> None:
    """Makes Neo4j plan the statement, by asking about a project that cannot exist."""
    nobody = GraphScope("", Scope(user_id=""))
    await recall(session, nobody, ["nobody"], transaction_metadata([]), seconds)


def _clue(row: Record) -> Clue:
    return Clue(exploring.stated_relation(row), row["degree"], row["through"])


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
        return await self._read(exploring.list_relations, query)

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        return await self._read(exploring.find_entities, within, name)

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        return await self._read(exploring.list_entities, query)

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        return await self._read(exploring.explore, within, start, hops)

    async def recall(self, within: GraphScope, names: Sequence[str]) -> Recollection:
        """See the port. Does not retry or open a transaction, which would cost round trips."""
        metadata = transaction_metadata([current_request().correlation_id])
        with call_traced("recall", self._database):
            async with (
                guarded_call(self._breaker, self._timeout),
                self._driver.session(
                    database=self._database, default_access_mode=READ_ACCESS
                ) as session,
            ):
                return await recall(session, within, names, metadata, self._timeout)

    async def stay_warm(self, interval: float = 2.0) -> None:
        """Keeps the statement of searches planned while they time out, until it is cancelled.

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
            await warm_up(session, _WARM_UP_SECONDS)
        self._breaker.succeeded()

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
