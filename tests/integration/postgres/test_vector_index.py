"""The index of the embeddings is built while servers work, and used for large scopes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from server.core.values import Vector
from server.maintenance import EmbedderIdentity, StoreUnready
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.memories.search.ranking import ArmWeights
from server.storage.postgres.pool import Database
from server.storage.postgres.schema import PostgresMaintenance
from server.storage.postgres.search import ScopeSizes, Searches
from server.storage.postgres.search_statements import ScopeSize, rank_large_statement
from server.storage.postgres.vector_index import PostgresSearchIndexing, VectorIndex, cast_to
from tests.support.builders import NOW, PROJECT, vector
from tests.support.postgres import (
    connected_after,
    copied_database,
    migrated_database,
    opened,
)
from tests.support.query_plans import nodes

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

DIMENSIONS = 16
MEMORIES = 5000
EMBEDDER = EmbedderIdentity("test/embedder", DIMENSIONS)
ALICE = Scope(user_id="alice")
# Of Alice and, one in ten, of Bob; their vectors are in fifty clusters, the same in every run.
LOAD = f"""
SELECT setseed(0.5);

INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, scope_key, digest, text, inferred, immutable,
    metadata, categories, entities, relations, evidence, event_time, create_time, update_time,
    embedding
)
SELECT '{PROJECT}', md5(n::text)::uuid, 1, md5('call')::uuid,
       CASE WHEN n % 10 = 0 THEN 'bob' ELSE 'alice' END, 'key', sha256(n::text::bytea),
       'memory ' || n, true, false, '{{}}', '{{}}', '[]', '[]', '[]', '{NOW}', '{NOW}', '{NOW}',
       l2_normalize((
           SELECT array_agg(sin(n % 50 * 7 + place * 3) + random() / 2)
           FROM generate_series(1, {DIMENSIONS}) AS place
       )::real[]::halfvec)
FROM generate_series(1, {MEMORIES}) AS n;

INSERT INTO calls (
    project_id, call_id, position, method, user_id, scope_key, payload_digest, correlation_id,
    embedding_model, call_time
)
VALUES ('{PROJECT}', md5('call')::uuid, 1, 'AddMemories', 'alice', 'key', '', '', '', '{NOW}');

ANALYZE memories
"""


@pytest_asyncio.fixture(scope="module")
async def clustered_dsn(postgres_server: str) -> AsyncIterator[str]:
    """The DSN of a database with the memories. To be copied, not used."""
    async with migrated_database(postgres_server) as dsn:
        async with connected_after(dsn, LOAD):
            pass
        yield dsn


@pytest_asyncio.fixture
async def postgres_dsn(postgres_server: str, clustered_dsn: str) -> AsyncIterator[str]:
    async with copied_database(postgres_server, clustered_dsn) as dsn:
        yield dsn


@pytest_asyncio.fixture
async def database(postgres_dsn: str) -> AsyncIterator[Database]:
    async with opened(postgres_dsn, pool_size=2) as database:
        yield database


@pytest.fixture
async def indexing(database: Database, postgres_dsn: str) -> PostgresSearchIndexing:
    assert await PostgresMaintenance(database).claim_embedder(EMBEDDER) == EMBEDDER
    return PostgresSearchIndexing(postgres_dsn)


async def serves(database: Database, memories: float) -> bool:
    async with database.connection() as connection:
        return await VectorIndex().serves(connection, DIMENSIONS, memories)


def question(number: int) -> Vector:
    return vector(*(((number * place) % 7) - 3 for place in range(1, DIMENSIONS + 1)))


async def test_it_is_used_for_scopes_that_are_a_large_part_of_the_table(
    database: Database, indexing: PostgresSearchIndexing
) -> None:
    assert not await serves(database, MEMORIES)
    await indexing.build(64)
    assert await serves(database, MEMORIES)
    assert not await serves(database, MEMORIES / 2)
    await indexing.build(64)
    await indexing.drop()
    assert not await serves(database, MEMORIES)


async def test_the_nearest_are_found_by_the_index(
    database: Database, indexing: PostgresSearchIndexing
) -> None:
    await indexing.build(64)
    query = SearchQuery(PROJECT, ALICE, question(1), 5, None, text="memory")
    size = ScopeSize(MEMORIES, 8.0)
    async with database.connection() as connection:
        plan = await explained(connection, *rank_large_statement(query, size, cast_to(DIMENSIONS)))
    assert f"memories_embedding_{DIMENSIONS}" in plan


async def explained(connection: Connection, statement: str, *values: object) -> set[str]:
    """The names of the indexes that are read."""
    found = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *values)
    return {str(node.get("Index Name")) for node in nodes(json.loads(found)[0]["Plan"])}


async def test_it_finds_the_same_as_an_exact_search(
    database: Database, indexing: PostgresSearchIndexing
) -> None:
    exact, indexed = Searches(database), Searches(database, ScopeSizes(large=0))
    await indexing.build(64)
    await indexed.search(query_for(0))
    found = wanted = 0
    for number in range(1, 21):
        best = {hit.id for hit in await exact.search(query_for(number))}
        found += len(best & {hit.id for hit in await indexed.search(query_for(number))})
        wanted += len(best)
    assert wanted == 200
    assert found >= 0.95 * wanted


def query_for(number: int) -> SearchQuery:
    return SearchQuery(
        PROJECT, ALICE, question(number), 10, None, text="", weights=ArmWeights(lexical=0.0)
    )


async def test_an_interrupted_index_is_built_again(
    database: Database, indexing: PostgresSearchIndexing
) -> None:
    await indexing.build(64)
    async with database.connection() as connection:
        await connection.execute(
            "UPDATE pg_index SET indisvalid = false WHERE indrelid = 'memories'::regclass "
            f"AND indexrelid = to_regclass('memories_embedding_{DIMENSIONS}')"
        )
    assert not await serves(database, MEMORIES)
    await indexing.build(64)
    assert await serves(database, MEMORIES)


async def test_another_embedder_has_no_use_for_it(
    database: Database, indexing: PostgresSearchIndexing
) -> None:
    await indexing.build(64)
    await PostgresMaintenance(database).begin_reembedding(EmbedderIdentity("test/other", 3))
    assert not await serves(database, MEMORIES)


async def test_a_store_without_an_embedder_has_nothing_to_index(
    database: Database, postgres_dsn: str
) -> None:
    del database
    with pytest.raises(StoreUnready):
        await PostgresSearchIndexing(postgres_dsn).build(64)
