"""The port `Graph` on Neo4j, and on a server without Neo4j."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, Never, TypeVar

from neo4j import AsyncDriver, AsyncManagedTransaction, AsyncSession, unit_of_work
from neo4j.exceptions import ClientError, DatabaseError

from server.core.circuit_breaker import CircuitBreaker
from server.core.request_context import current_request
from server.core.transient_errors import GraphUnavailable
from server.graph.model import EntityRef, MemorySubgraph, StatedRelation
from server.graph.ports import (
    EntityPage,
    EntityQuery,
    FoundEntity,
    GraphScope,
    RelationQuery,
    Surroundings,
)
from server.projects.project import GraphCounts
from server.storage.neo4j import exploring, projection
from server.storage.neo4j.calls import (
    DATABASE,
    bounded_call,
    call_traced,
    guarded_call,
    transaction_metadata,
)
from server.storage.neo4j.terms import given
from server.storage.statements import load_cypher

_SCHEMA = load_cypher(__package__, "schema.cypher")
_REMAINS = load_cypher(__package__, "remains.cypher")
_NAME_IS_TAKEN = "Neo.ClientError.Schema.IndexWithNameAlreadyExists"
_PREPARE_SECONDS = 60.0
_RETRY_SECONDS = 1.5
_COUNTING = load_cypher(__package__, "counting.cypher")
_READ_RETRY_SECONDS = 0.5

T = TypeVar("T")


class Neo4jGraph:
    """The graph in a Neo4j database, for scopes that include whole graph spaces.

    It does not close the driver. Times are in seconds and bound a whole call with its retries. The
    breaker refuses reads while the database does not answer.
    """

    def __init__(
        self,
        driver: AsyncDriver,
        breaker: CircuitBreaker | None = None,
        *,
        timeout: float,
        check_timeout: float = 2.0,
    ) -> None:
        self._driver = driver
        self._breaker = breaker or CircuitBreaker("neo4j")
        self._timeout = timeout
        self._check_timeout = check_timeout

    async def prepare(self) -> None:
        """Creates the constraints and indexes, waits until they are filled, and rehearses."""
        async with bounded_call(_PREPARE_SECONDS), self._session() as session:
            for name, statement in _SCHEMA.items():
                await _create(session, name, statement)
            with suppress(projection.Rehearsed):
                await session.execute_write(projection.rehearse)

    async def rehearse(self) -> None:
        """Adds and removes invented memories, even if it is cancelled in between; see the port."""
        try:
            await self._write(projection.add_invented)
        finally:
            await self._write(projection.remove_invented)

    async def _write(self, work: Callable[[AsyncManagedTransaction], Awaitable[None]]) -> None:
        async with bounded_call(self._timeout), self._session() as session:
            await session.execute_write(work)

    async def check(self) -> None:
        """Checks once, without retries; see the port."""
        async with bounded_call(self._check_timeout), self._session() as session:
            result = await session.run("RETURN 1")
            await result.consume()

    async def project(self, subgraphs: Sequence[MemorySubgraph]) -> None:
        """Makes the graph hold exactly these subgraphs, in one transaction; see the port.

        The graph stores the version of each memory, so an older state never replaces a newer one.
        It stores nothing of a deleted memory, so another rule keeps an older state from bringing
        it back: only one projector claims a memory at a time, reads the state after the claim, and
        ends this call before the claim does, because `timeout` is shorter. If the caller abandons
        the call during the commit, Neo4j still holds the memory's lock until the commit ends, and
        the projection of the deletion waits for it.
        """
        batch = projection.latest(subgraphs)
        if not batch:
            return
        work = unit_of_work(
            metadata=transaction_metadata(s.correlation_id for s in batch),
            timeout=self._timeout,
        )(projection.project)
        with call_traced("project"):
            async with bounded_call(self._timeout), self._session() as session:
                try:
                    await session.execute_write(work, batch)
                except (ClientError, DatabaseError) as error:
                    if _is_caused_by_the_data(error):
                        raise ValueError("the graph refuses a subgraph of this batch") from error
                    raise

    async def list_relations(self, query: RelationQuery) -> list[StatedRelation]:
        """See the port.

        Raises:
            ValueError: the scope does not include a whole graph space.
        """
        return await self._read(exploring.list_relations, query)

    async def find_entities(self, within: GraphScope, name: str) -> list[FoundEntity]:
        return await self._read(exploring.find_entities, within, name)

    async def list_entities(self, query: EntityQuery) -> EntityPage:
        return await self._read(exploring.list_entities, query)

    async def explore(self, within: GraphScope, start: EntityRef, hops: int) -> Surroundings:
        return await self._read(exploring.explore, within, start, hops)

    async def count(self, project_id: str) -> GraphCounts:
        return await self._read(count, project_id)

    async def _read(self, work: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        bound: Callable[[AsyncManagedTransaction], Awaitable[T]] = unit_of_work(
            metadata=transaction_metadata([current_request().correlation_id]),
            timeout=self._timeout,
        )(work)
        with call_traced(work.__name__):
            async with (
                guarded_call(self._breaker, self._timeout),
                self._session(_READ_RETRY_SECONDS) as session,
            ):
                return await session.execute_read(bound, *arguments)

    def _session(self, retry_seconds: float = _RETRY_SECONDS) -> AsyncSession:
        return self._driver.session(database=DATABASE, max_transaction_retry_time=retry_seconds)


async def _create(session: AsyncSession, name: str, statement: str) -> None:
    """Runs a statement of the schema; removes remains of an interrupted creation and retries."""
    try:
        await session.execute_write(_run, statement)
    except ClientError as error:
        if error.code != _NAME_IS_TAKEN or name not in _REMAINS:
            raise
        # If another server creates it at the same time, one of the two succeeds.
        with suppress(ClientError):
            await session.execute_write(_run, _REMAINS[name])
        await session.execute_write(_run, statement)


async def _run(tx: AsyncManagedTransaction, statement: str) -> None:
    result = await tx.run(statement)
    await result.consume()


def _is_caused_by_the_data(error: ClientError | DatabaseError) -> bool:
    return error.category in {"Statement", "Schema"}


async def count(tx: AsyncManagedTransaction, project_id: str) -> GraphCounts:
    """Counts the entities and relations of a project."""
    return GraphCounts(
        await _number(tx, "entities", project_id), await _number(tx, "relations", project_id)
    )


async def _number(tx: AsyncManagedTransaction, name: str, project_id: str) -> int:
    result = await tx.run(_COUNTING[name], given({"project_id": project_id}))
    record = await result.single(strict=True)
    return int(record["number"])


async def _absent(*_arguments: object, **_options: object) -> Never:
    raise GraphUnavailable


class AbsentGraph:
    """Implements `server.graph.ports.Graph` without Neo4j: always unavailable.

    Changes wait in the outbox until the server starts with a graph.
    """

    prepare = rehearse = check = project = count = staticmethod(_absent)
    list_relations = find_entities = list_entities = explore = staticmethod(_absent)
