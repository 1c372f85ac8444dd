"""The past and whole scopes are read and deleted through indexes, however large the table is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio

from server.memories.change.effects import MIN_REPEATED_LENGTH, SENTENCE_ENDS
from server.memories.memory import ListCursor, ListOrder
from server.memories.queries import ListQuery
from server.memories.scope import Scope, ScopeKind
from server.storage.postgres import memory_history
from server.storage.postgres.erasing import CHANGES, deletion_statement, erasure_statement
from server.storage.postgres.erasing import RETENTION_SQL as RETENTION
from server.storage.postgres.erasing import SQL as ERASE
from server.storage.postgres.memory_store import list_statement
from server.storage.postgres.record_calls import call_values
from server.storage.postgres.search_statements import rank_statement
from tests.support.builders import ALICE, NOW, PROJECT, call
from tests.support.postgres import connected_after, copied_database
from tests.support.query_plans import (
    HALFWAY,
    TODAY,
    Plan,
    indexes,
    nodes,
    plans,
    search_of,
)

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

# Every call is one of a user, an agent, an app and a run; every memory was added and changed once.
PAST = """
UPDATE calls SET
    user_id = 'user-' || position % 100, agent_id = 'agent-' || position % 97,
    app_id = 'app-' || position % 53, run_id = 'run-' || position % 1000;

INSERT INTO memory_events (
    project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
)
SELECT project_id, memory_id, event.version, 1, 0, call_id, type, create_time, '{}'
FROM memories, (VALUES (1, 'ADD'), (2, 'UPDATE')) AS event (version, type);

-- Nearly all of the operations are done.
INSERT INTO operations (
    project_id, operation_id, user_id, agent_id, app_id, run_id, scope_key, payload_digest,
    output_format, correlation_id, state, end_time, call_id
)
SELECT project_id, call_id, user_id, agent_id, app_id, run_id, scope_key, '', 'v1.1', 'c',
       CASE WHEN position % 500 = 0 THEN 'QUEUED' WHEN position % 500 = 1 THEN 'FAILED'
            ELSE 'SUCCEEDED' END,
       CASE WHEN position % 500 > 0 THEN now() END,
       CASE WHEN position % 500 > 1 THEN call_id END
FROM calls;

ANALYZE calls, memory_events, operations
"""
# Waiting operations are in both, and in few rows.
PENDING = {"operations_pending", "operations_pending_of_scope"}
PARTS = ["user", "agent", "app", "run"]


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str, loaded_dsn: str) -> AsyncIterator[Connection]:
    """A connection to a database with a few thousand memories, which no test changes."""
    async with (
        copied_database(postgres_server, loaded_dsn) as dsn,
        connected_after(dsn, PAST) as connection,
    ):
        yield connection


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("order", ListOrder)
@pytest.mark.parametrize("after", [None, ListCursor(HALFWAY, UUID(int=1))], ids=["first", "later"])
async def test_a_page_of_the_past_is_read_in_order_from_the_calls_of_the_scope(
    connection: Connection, part: str, order: ListOrder, after: ListCursor | None
) -> None:
    scope = Scope(**{f"{part}_id": f"{part}-7"})
    query = ListQuery(PROJECT, scope, 51, order, TODAY, after, time=NOW)
    for plan in await plans(connection, *list_statement(query)):
        assert indexes(plan, "calls") == {f"calls_{part}", "calls_pkey"}
        assert indexes(plan, "memory_events") == {"memory_events_call", "memory_events_pkey"}


@pytest.mark.parametrize("part", PARTS)
async def test_a_search_of_the_past_reads_the_calls_of_the_scope(
    connection: Connection, part: str
) -> None:
    query = search_of(Scope(**{f"{part}_id": f"{part}-7"}), time=NOW)
    for plan in await plans(connection, *rank_statement(query)):
        assert indexes(plan, "calls") == {f"calls_{part}"}
        assert indexes(plan, "passages") == {"passages_call"}
        assert indexes(plan, "memory_events") == {"memory_events_call", "memory_events_pkey"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("events", {"after_version": 0, "limit": 51}),
        ("state_at", {"time": NOW, "visible_on": TODAY}),
    ],
)
async def test_the_past_of_a_memory_is_found_by_its_key(
    connection: Connection, name: str, values: dict[str, object]
) -> None:
    read = memory_history.SQL[name](project_id=PROJECT, memory_id=UUID(int=1), **values)
    for plan in await plans(connection, *read):
        assert indexes(plan, "memory_events") == {"memory_events_pkey"}
        assert indexes(plan, "calls") == {"calls_pkey"}


@pytest.mark.parametrize("part", PARTS)
async def test_scopes_are_listed_in_the_order_of_an_index(
    connection: Connection, part: str
) -> None:
    list_scopes = CHANGES["list_scopes"].fill(column=f"{part}_id")(
        project_id=PROJECT, after_id="", limit=51, visible_on=TODAY
    )
    for plan in await plans(connection, *list_scopes):
        assert indexes(plan, "memories") == {f"memories_{part}"}
        assert "Sort" not in {node["Node Type"] for node in nodes(plan)}


@pytest.mark.parametrize("part", PARTS)
async def test_a_scope_is_deleted_by_indexes(connection: Connection, part: str) -> None:
    new_call = call(scope=Scope(**{f"{part}_id": f"{part}-7"}))
    for plan in await plans(connection, *deletion_statement(new_call, None)):
        assert reads_of(plan, "memories") == {f"memories_{part}", "memories_pkey"}
    erase = erasure_statement(new_call, ScopeKind(f"{part}_id"), f"{part}-7")
    for plan in await plans(connection, *erase):
        assert reads_of(plan, "memories") == {f"memories_{part}"}
        assert reads_of(plan, "calls") == {f"calls_{part}", "calls_pkey"}
        assert reads_of(plan, "messages") == {"messages_pkey"}
        assert reads_of(plan, "memory_events") == {
            "memory_events_call",
            "memory_events_pkey",
            "memory_events_erased",
        }
        assert reads_of(plan, "operations") - PENDING == {
            "operations_pkey",
            "operations_without_call",
            "operations_of_other_call",
        }
    lock = CHANGES["lock_operations"].fill(column=f"{part}_id")
    for plan in await plans(connection, *lock(project_id=PROJECT, scope_id=f"{part}-7")):
        assert reads_of(plan, "operations") <= PENDING
    lock = CHANGES["lock_passages"].fill(column=f"{part}_id")
    for plan in await plans(connection, *lock(project_id=PROJECT, scope_id=f"{part}-7")):
        assert indexes(plan, "calls") == {f"calls_{part}"}
        assert indexes(plan, "passages") == {"passages_call"}


def reads_of(plan: Plan, table: str) -> set[str]:
    """The indexes by which a changing statement reads a table; its own name if it is read whole."""
    found = [
        node for node in nodes(plan) if "Index Name" in node or node.get("Node Type") == "Seq Scan"
    ]
    return {
        node.get("Index Name", table)
        for node in found
        if node.get("Relation Name") == table or node.get("Index Name", "").startswith(f"{table}_")
    }


async def test_erasing_reads_the_history_and_the_messages_of_the_scope_by_indexes(
    connection: Connection,
) -> None:
    ids = [await connection.fetchval("SELECT memory_id FROM memories WHERE user_id = 'user-7'")]
    key: dict[str, object] = {"project_id": PROJECT, "memory_ids": ids}
    phrases = {"scope_keys": [ALICE.key()], "phrases": ["a phrase that is long enough"]}
    statements = [
        ERASE["phrases"](**key),
        ERASE["delete_messages"](**key, **phrases, sentence_ends=SENTENCE_ENDS),
        ERASE["messages_with_phrases"](**key, **phrases, min_length=MIN_REPEATED_LENGTH),
        ERASE["clear_notices"](**key, **phrases),
        ERASE["erase_memories"](**call_values(call()), memory_ids=ids, counts={}),
    ]
    for statement in statements:
        for plan in await plans(connection, *statement):
            assert reads_of(plan, "memory_events") <= {"memory_events_pkey", "memory_events_call"}
            assert reads_of(plan, "messages") <= {"messages_pkey"}
            assert reads_of(plan, "memories") <= {"memories_pkey"}
            assert reads_of(plan, "calls") <= {"calls_scope", "calls_pkey"}


async def test_expired_memories_are_found_by_the_indexes_of_expiration(
    connection: Connection,
) -> None:
    bounds = {"expired_before": TODAY, "limit": 100}
    for plan in await plans(connection, *RETENTION["lock_expired"](**bounds)):
        assert reads_of(plan, "memories") <= {"memories_expiration", "memories_pkey"}
    for plan in await plans(connection, *RETENTION["find_deleted"](**bounds)):
        assert "memory_events_expiration" in reads_of(plan, "memory_events")
        assert "Seq Scan" not in {node["Node Type"] for node in nodes(plan)}
