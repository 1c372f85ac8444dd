"""Reads go through the index of what they name, so that they cost what the scope holds.

Both plans are looked at: the one for the values at hand, and the generic one that PostgreSQL may
take once a statement has been repeated.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import pytest_asyncio

from server.memories.scope import Scope
from server.storage.postgres import memory_store, search
from server.storage.postgres.filters import scope_condition
from server.storage.postgres.rows import to_halfvec
from server.storage.postgres.search import rank_large_statement, rank_statement
from server.storage.postgres.vector_index import cast_to
from tests.support.builders import NOW, PROJECT
from tests.support.postgres import LENDING, loaded

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

DIMENSIONS = 64
# 10,000 memories of two projects, 100 users, 97 agents, 53 apps and 1,000 runs, 5 a call.
LOAD = f"""
INSERT INTO memories (
    project_id, memory_id, version, call_id, user_id, agent_id, app_id, run_id, scope_key, digest,
    text, inferred, immutable, metadata, categories, entities, relations, evidence, event_time,
    create_time, update_time, embedding
)
SELECT 'project-' || 1 + n % 2, gen_random_uuid(), 1, md5((n / 5)::text)::uuid,
       'user-' || n % 100, 'agent-' || n % 97, 'app-' || n % 53, 'run-' || n % 1000,
       sha256(('user-' || n % 100)::bytea), sha256(n::text::bytea), 'a memory', true, false,
       '{{}}', '{{}}', '[]', '[]', '[]', time, time, time,
       array_fill(0.1::real, ARRAY[{DIMENSIONS}])::vector::halfvec
FROM generate_series(1, 10000) AS n,
     LATERAL (SELECT '{NOW}'::timestamptz - n * interval '1 minute') AS t (time);

INSERT INTO calls (
    project_id, call_id, position, method, scope_key, request_id, payload_digest, correlation_id,
    embedding_model, call_time
)
SELECT DISTINCT ON (project_id, call_id)
    project_id, call_id, nextval('change_position'), 'AddMemories', scope_key, memory_id, '', '',
    '', create_time
FROM memories;

INSERT INTO messages (project_id, call_id, ordinal, message_id, role, content, event_time)
SELECT project_id, call_id, 0, gen_random_uuid(), 'user', 'a message', call_time FROM calls;

INSERT INTO passages (
    project_id, passage_id, call_id, message_id, user_id, agent_id, app_id, run_id, scope_key,
    digest, sentences, text, role, metadata, event_time, create_time, store_time, ordinal, embedding
)
SELECT project_id, memory_id, call_id, memory_id, user_id, agent_id, app_id, run_id, scope_key,
       digest, ARRAY['a passage'], 'a passage', 'user', '{{}}', event_time, create_time,
       create_time, 0, embedding
FROM memories;

ANALYZE memories, calls, messages, passages
"""
VECTOR = to_halfvec(array("f", [0.1] * DIMENSIONS))
SCOPE_KEY = sha256(b"user-7").digest()
TODAY = NOW.date()
HALFWAY = NOW - timedelta(minutes=5000)


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str) -> AsyncIterator[Connection]:
    """A connection to a database with a few thousand memories, which no test changes."""
    async with loaded(postgres_server, LOAD) as connection:
        yield connection


Plan = dict[str, Any]


def nodes(plan: Plan) -> Iterator[Plan]:
    yield plan
    for inner in plan.get("Plans", []):
        yield from nodes(inner)


async def plans(connection: Connection, statement: str, *values: object) -> list[Plan]:
    """The plan for these values, and the one for any."""
    custom = await connection.fetchval(f"EXPLAIN (FORMAT JSON) {statement}", *values)
    await connection.execute(
        f"SET plan_cache_mode = force_generic_plan; PREPARE any_values AS {statement}"
    )
    nulls = ", ".join(["NULL"] * len(values))
    generic = await connection.fetchval(f"EXPLAIN (FORMAT JSON) EXECUTE any_values ({nulls})")
    await connection.execute("DEALLOCATE any_values; RESET plan_cache_mode")
    return [json.loads(found)[0]["Plan"] for found in (custom, generic)]


def indexes(plan: Plan, table: str) -> set[str]:
    """The indexes by which a table is read.

    Raises:
        AssertionError: it is read as a whole.
    """
    scans = [node for node in nodes(plan) if node.get("Relation Name") == table]
    assert scans
    assert {node["Node Type"] for node in scans} <= {"Index Scan", "Index Only Scan"}
    return {node["Index Name"] for node in scans}


ONE_PART = [
    (Scope(user_id="user-7"), "memories_user"),
    (Scope(agent_id="agent-7"), "memories_agent"),
    (Scope(app_id="app-7"), "memories_app"),
    (Scope(run_id="run-7"), "memories_run"),
]
SCOPES = [*ONE_PART, (Scope(user_id="user-7", run_id="run-7"), "memories_run")]


@pytest.fixture(params=SCOPES, ids=lambda param: "+".join(dict(param[0].parts())))
def scoped(request: pytest.FixtureRequest) -> tuple[Scope, str]:
    """A scope and the index that holds the fewest memories beside it."""
    scope, index = request.param
    return scope, index


def ranking(scope: Scope) -> tuple[str, tuple[object, ...]]:
    """The statement that compares all of a scope, and values to bind."""
    statement, values = rank_statement(scope)
    constants: tuple[object, ...] = (2.0, 0.9, 0.75, 200, 30.0, 1000, [], *LENDING)
    return statement, (PROJECT, TODAY, [], VECTOR, "a memory", *constants, *values)


async def test_a_search_compares_the_memories_of_the_scope(
    connection: Connection, scoped: tuple[Scope, str]
) -> None:
    scope, index = scoped
    statement, bound = ranking(scope)
    for plan in await plans(connection, statement, *bound):
        assert indexes(plan, "memories") == {index}
        assert indexes(plan, "passages") == {index.replace("memories", "passages")}
        # Nothing says how large an intermediate result is: a join of two would be a gamble.
        assert not [node for node in nodes(plan) if node["Node Type"].endswith(" Join")]
        # Read once: a nested loop could copy its arrays for every message.
        reads = [node for node in nodes(plan) if node.get("CTE Name") == "line"]
        assert {node["Parent Relationship"] for node in reads} == {"InitPlan"}


@pytest.mark.parametrize("part", ["user_id", "agent_id", "app_id", "run_id"])
async def test_searches_of_small_scopes_share_a_plan(connection: Connection, part: str) -> None:
    statement, bound = ranking(Scope(**{part: "nobody"}))
    for _ in range(8):
        await connection.fetch(statement, *bound)
    planned = await connection.fetchval(
        "SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1", statement
    )
    # PostgreSQL plans the first five for their values, and compares the costs.
    assert planned == 5


async def test_passages_are_read_by_keys_and_by_messages(connection: Connection) -> None:
    ids = [UUID(int=1), UUID(int=2)]
    for plan in await plans(connection, search.READ_PASSAGES, PROJECT, ids, TODAY, None):
        assert indexes(plan, "passages") == {"passages_pkey"}
    newest = """
        SELECT passage_id FROM passages WHERE project_id = $1 AND scope_key = $2 AND digest = $3
        ORDER BY store_time DESC, passage_id DESC LIMIT 1
    """
    for plan in await plans(connection, newest, PROJECT, SCOPE_KEY, SCOPE_KEY):
        assert indexes(plan, "passages") == {"passages_digest"}


async def test_hits_are_read_by_their_keys(connection: Connection) -> None:
    ids = [UUID(int=1), UUID(int=2)]
    for plan in await plans(connection, search.READ_HITS, PROJECT, ids, TODAY):
        assert indexes(plan, "memories") == {"memories_pkey"}
        assert indexes(plan, "calls") == {"calls_pkey"}


@pytest.mark.parametrize("page", ["newest_first", "oldest_first"])
@pytest.mark.parametrize("after", [(None, None), (HALFWAY, UUID(int=1))], ids=["first", "later"])
async def test_a_page_is_read_in_order_from_the_scope(
    connection: Connection, scoped: tuple[Scope, str], page: str, after: tuple[object, object]
) -> None:
    scope, index = scoped
    condition, values = scope_condition(scope, first_parameter=6)
    statement = memory_store._read_statement("list", scope=condition, page=memory_store.SQL[page])
    for plan in await plans(connection, statement, PROJECT, TODAY, *after, 51, *values):
        assert indexes(plan, "memories") == {index}
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}
        assert indexes(plan, "calls") == {"calls_pkey"}


async def test_a_memory_is_found_by_its_key(connection: Connection) -> None:
    statement = memory_store._read_statement("get")
    for plan in await plans(connection, statement, PROJECT, UUID(int=1), TODAY):
        assert indexes(plan, "memories") == {"memories_pkey"}
        assert indexes(plan, "calls") == {"calls_pkey"}


@pytest.mark.parametrize(
    ("name", "values", "table", "index"),
    [
        (
            "find_candidates",
            (PROJECT, SCOPE_KEY, [VECTOR] * 3, 5, TODAY),
            "memories",
            "memories_digest",
        ),
        ("visible", (PROJECT, [UUID(int=1)], TODAY), "memories", "memories_pkey"),
        ("recent_messages", (PROJECT, SCOPE_KEY, 10), "calls", "calls_scope"),
        ("recent_messages", (PROJECT, SCOPE_KEY, 10), "messages", "messages_pkey"),
        ("find_call", (PROJECT, UUID(int=1)), "calls", "calls_request_id"),
    ],
)
async def test_what_an_add_reads_is_found_by_an_index(
    connection: Connection, name: str, values: tuple[object, ...], table: str, index: str
) -> None:
    for plan in await plans(connection, memory_store.SQL[name], *values):
        assert indexes(plan, table) == {index}


@pytest.mark.parametrize("cast", ["", cast_to(DIMENSIONS)], ids=["without index", "with index"])
async def test_a_large_scope_is_searched_without_reading_the_table(
    connection: Connection, scoped: tuple[Scope, str], cast: str
) -> None:
    scope, _ = scoped
    statement, values = rank_large_statement(scope, cast)
    constants: tuple[object, ...] = (2.0, 0.9, 0.75, 200, 30.0, 1000, [], *LENDING, 100, 8.0, 400)
    bound = (PROJECT, TODAY, [], VECTOR, "a memory", *constants, *values)
    for plan in await plans(connection, statement, *bound):
        kinds = {node["Node Type"] for node in nodes(plan) if node.get("Relation Name")}
        assert kinds <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
        assert "memories_conversation" in {node.get("Index Name") for node in nodes(plan)}
