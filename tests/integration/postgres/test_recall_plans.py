"""The relations of an entity are found through indexes, however many relations are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from server.memories.queries import RecallQuery
from server.memories.scope import Scope
from server.storage.postgres.recall import recall_statement
from tests.support.builders import NOW, PROJECT
from tests.support.postgres import loaded
from tests.support.query_plans import indexes, plans

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

# 20,000 relations of two projects, 100 users and 1,000 runs, between 400 entities of each user.
RELATIONS = f"""
INSERT INTO memory_relations (
    project_id, memory_id, ordinal, space, source_key, relation, target_key, user_id, run_id,
    event_time
)
SELECT 'project-' || 1 + n % 2, gen_random_uuid(), 1, 'user:user-' || n % 100,
       'entity-' || n % 397, 'knows', 'entity-' || n % 401, 'user-' || n % 100, 'run-' || n % 1000,
       '{NOW}'::timestamptz - n * interval '1 minute'
FROM generate_series(1, 20000) AS n;

ANALYZE memory_relations
"""


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str) -> AsyncIterator[Connection]:
    """A connection to a database with many relations, which no test changes."""
    async with loaded(postgres_server, RELATIONS) as connection:
        yield connection


@pytest.mark.parametrize(
    "scope", [Scope(user_id="user-7"), Scope(user_id="user-7", run_id="run-7")], ids=["user", "run"]
)
async def test_entities_are_followed_by_the_indexes_of_their_ends(
    connection: Connection, scope: Scope
) -> None:
    query = RecallQuery(PROJECT, scope, names=["entity-7"], at=NOW)
    statement = recall_statement(query, ["user:user-7"], [("user:user-7", "entity-7")])
    for plan in await plans(connection, *statement):
        ends = {"memory_relations_source", "memory_relations_target"}
        # The key leads from a relation to its memory; a run may have few relations.
        others = {"memory_relations_pkey", "memory_relations_run"}
        assert ends <= indexes(plan, "memory_relations") <= ends | others
