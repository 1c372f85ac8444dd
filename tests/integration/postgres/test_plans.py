"""Reads use the index of the named scope, so that their cost depends on the scope.

Both plans are looked at: the one for the values at hand, and the generic one that PostgreSQL may
take once a statement has been repeated.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio

from server.memories.memory import ListCursor, ListOrder
from server.memories.queries import ListQuery
from server.memories.scope import Scope
from server.storage.postgres import candidates
from server.storage.postgres.memory_store import SQL, list_statement
from server.storage.postgres.scope_index import ScopeIndex
from server.storage.postgres.search_statements import (
    SQL as HITS,
)
from server.storage.postgres.search_statements import (
    IndexCheck,
    ScopeSize,
    check_statement,
    rank_large_statement,
    rank_statement,
)
from server.storage.postgres.statements import BoundStatement
from server.storage.postgres.vector_index import cast_to
from tests.support.builders import PROJECT
from tests.support.postgres import connected_after, copied_database, loaded
from tests.support.query_plans import (
    DIMENSIONS,
    HALFWAY,
    LOAD,
    SCOPE_KEY,
    TODAY,
    VECTOR,
    indexes,
    nodes,
    plans,
    search_of,
)

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str, loaded_dsn: str) -> AsyncIterator[Connection]:
    """A connection to a database with a few thousand memories, which no test changes."""
    async with (
        copied_database(postgres_server, loaded_dsn) as dsn,
        connected_after(dsn) as connection,
    ):
        yield connection


ONE_PART = [
    (Scope(user_id="user-7"), "memories_user"),
    (Scope(agent_id="agent-7"), "memories_agent"),
    (Scope(app_id="app-7"), "memories_app"),
    (Scope(run_id="run-7"), "memories_run"),
]
SCOPES = [*ONE_PART, (Scope(user_id="user-7", run_id="run-7"), "memories_run")]


@pytest.fixture(params=SCOPES, ids=lambda param: "+".join(dict(param[0].parts())))
def scoped(request: pytest.FixtureRequest) -> tuple[Scope, str]:
    """A scope, and of the indexes that cover it the one with the fewest other memories."""
    scope, index = request.param
    return scope, index


PLANNED_FOR_VALUES = 5
"""The number of custom plans after which PostgreSQL considers a generic plan."""


async def custom_plans(connection: Connection, statement: str, *values: object) -> int:
    """How often the statement is planned for its values if it is repeated."""
    for _ in range(PLANNED_FOR_VALUES + 3):
        await connection.fetch(statement, *values)
    planned: int = await connection.fetchval(
        "SELECT custom_plans FROM pg_prepared_statements WHERE statement = $1", statement
    )
    return planned


async def test_a_search_compares_the_memories_of_the_scope(
    connection: Connection, scoped: tuple[Scope, str]
) -> None:
    scope, index = scoped
    for plan in await plans(connection, *rank_statement(search_of(scope))):
        assert indexes(plan, "memories") == {index}
        assert indexes(plan, "passages") == {index.replace("memories", "passages")}
        # The planner does not know the size of intermediate results, so no two may be joined.
        assert not [node for node in nodes(plan) if node["Node Type"].endswith(" Join")]
        # Read once: a nested loop could copy its arrays for every message.
        reads = [node for node in nodes(plan) if node.get("CTE Name") == "line"]
        assert {node["Parent Relationship"] for node in reads} == {"InitPlan"}


def check_of(*scopes: Scope) -> BoundStatement:
    index = ScopeIndex(DIMENSIONS)
    return check_statement([IndexCheck(search_of(scope), index) for scope in scopes])


async def test_an_index_in_memory_is_checked_by_entries_of_the_scope(
    connection: Connection, scoped: tuple[Scope, str]
) -> None:
    scope, index = scoped
    await connection.execute("VACUUM memories, passages")
    for plan in await plans(connection, *check_of(scope)):
        assert indexes(plan, "memories") == {index}
        assert indexes(plan, "passages") == {index.replace("memories", "passages")}
        [digest] = [node for node in nodes(plan) if node["Node Type"] == "Aggregate"]
        reads = {node["Node Type"] for node in nodes(digest) if "Relation Name" in node}
        # No index covers a scope of several parts.
        assert reads == {"Index Only Scan" if len(scope.parts()) == 1 else "Index Scan"}


@pytest.mark.parametrize("part", ["user_id", "agent_id", "app_id", "run_id"])
async def test_indexes_of_one_kind_of_scope_are_checked_by_one_plan(
    connection: Connection, part: str
) -> None:
    check = check_of(Scope(**{part: "nobody"}))
    assert await custom_plans(connection, *check) == PLANNED_FOR_VALUES


@pytest.mark.parametrize("part", ["user_id", "agent_id", "app_id", "run_id"])
@pytest.mark.parametrize("is_large", [False, True], ids=["small", "large"])
async def test_searches_of_one_kind_of_scope_share_a_plan(
    connection: Connection, part: str, is_large: bool
) -> None:
    query = search_of(Scope(**{part: "nobody"}))
    size = ScopeSize(10_000, 80.0)
    ranked = rank_large_statement(query, size) if is_large else rank_statement(query)
    assert await custom_plans(connection, *ranked) == PLANNED_FOR_VALUES


async def test_searches_share_a_plan_where_scopes_are_large(postgres_server: str) -> None:
    # With so many memories, a plan for the given values is worth its cost.
    large = LOAD.replace("'user-' || n % 100", "'user-' || n % 2")
    async with loaded(postgres_server, large) as connection:
        ranked = rank_statement(search_of(Scope(user_id="user-1")))
        assert await custom_plans(connection, *ranked) == PLANNED_FOR_VALUES


async def nearest_memories(connection: Connection) -> str:
    """Returns the body of the function, with numbers for its parameters."""
    body = await connection.fetchval(
        "SELECT prosrc FROM pg_proc WHERE oid = 'nearest_memories'::regproc"
    )
    types = ("project::text", "scope::bytea", "vectors::halfvec[]", "most::bigint")
    for number, parameter in enumerate((*types, "nearest_memories.visible_on::date"), start=1):
        name, _, kind = parameter.rpartition("::")
        assert f"(SELECT {name})" in body
        body = body.replace(f"(SELECT {name})", f"(SELECT ${number}::{kind})")
    return str(body)


async def test_candidates_are_planned_once_and_found_by_the_scope(connection: Connection) -> None:
    found = await nearest_memories(connection), PROJECT, SCOPE_KEY, [VECTOR] * 3, 5, TODAY
    assert await custom_plans(connection, *found) == PLANNED_FOR_VALUES
    for plan in await plans(connection, *found):
        assert indexes(plan, "memories") == {"memories_digest"}


async def test_passages_are_read_by_keys_and_by_messages(connection: Connection) -> None:
    ids = [UUID(int=1), UUID(int=2)]
    read = candidates.READ_PASSAGES(project_id=PROJECT, memory_ids=ids, visible_on=TODAY, time=None)
    for plan in await plans(connection, *read):
        assert indexes(plan, "passages") == {"passages_pkey"}
    newest = """
        SELECT passage_id FROM passages WHERE project_id = $1 AND scope_key = $2 AND digest = $3
        ORDER BY store_time DESC, passage_id DESC LIMIT 1
    """
    for plan in await plans(connection, newest, PROJECT, SCOPE_KEY, SCOPE_KEY):
        assert indexes(plan, "passages") == {"passages_digest"}


async def test_hits_are_read_by_their_keys(connection: Connection) -> None:
    ids = [UUID(int=1), UUID(int=2)]
    read = HITS["read_hits"](project_id=PROJECT, memory_ids=ids, visible_on=TODAY)
    for plan in await plans(connection, *read):
        assert indexes(plan, "memories") == {"memories_pkey"}
        assert indexes(plan, "calls") == {"calls_pkey"}


@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize("after", [None, ListCursor(HALFWAY, UUID(int=1))], ids=["first", "later"])
async def test_a_page_is_read_in_order_from_the_scope(
    connection: Connection, scoped: tuple[Scope, str], order: ListOrder, after: ListCursor | None
) -> None:
    scope, index = scoped
    query = ListQuery(PROJECT, scope, 51, order, TODAY, after)
    for plan in await plans(connection, *list_statement(query)):
        assert indexes(plan, "memories") == {index}
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}
        assert indexes(plan, "calls") == {"calls_pkey"}


async def test_a_memory_is_found_by_its_key(connection: Connection) -> None:
    get = SQL["get"](project_id=PROJECT, memory_id=UUID(int=1), visible_on=TODAY)
    for plan in await plans(connection, *get):
        assert indexes(plan, "memories") == {"memories_pkey"}
        assert indexes(plan, "calls") == {"calls_pkey"}


@pytest.mark.parametrize(
    ("name", "values", "table", "index"),
    [
        (
            "visible",
            {"memory_ids": [UUID(int=1)], "visible_on": TODAY},
            "memories",
            "memories_pkey",
        ),
        ("recent_messages", {"scope_key": SCOPE_KEY, "limit": 10}, "calls", "calls_scope"),
        ("recent_messages", {"scope_key": SCOPE_KEY, "limit": 10}, "messages", "messages_pkey"),
        ("find_call", {"request_id": UUID(int=1), "item": 0}, "calls", "calls_request_id"),
    ],
)
async def test_an_add_reads_by_an_index(
    connection: Connection, name: str, values: dict[str, object], table: str, index: str
) -> None:
    for plan in await plans(connection, *SQL[name](project_id=PROJECT, **values)):
        assert indexes(plan, table) == {index}


@pytest.mark.parametrize("cast", ["", cast_to(DIMENSIONS)], ids=["without index", "with index"])
async def test_a_large_scope_is_searched_without_reading_the_table(
    connection: Connection, scoped: tuple[Scope, str], cast: str
) -> None:
    scope, _ = scoped
    search_large = rank_large_statement(search_of(scope), ScopeSize(100, 8.0), cast)
    for plan in await plans(connection, *search_large):
        kinds = {node["Node Type"] for node in nodes(plan) if node.get("Relation Name")}
        assert kinds <= {"Index Scan", "Index Only Scan", "Bitmap Heap Scan"}
        assert "memories_conversation" in {node.get("Index Name") for node in nodes(plan)}
