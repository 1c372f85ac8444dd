"""The trace of a request is read through indexes, however many calls are stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from uuid import UUID

import pytest
import pytest_asyncio

from server.storage.postgres.projects import TRACES_SQL
from tests.support.builders import PROJECT
from tests.support.postgres import connected_after, copied_database
from tests.support.query_plans import indexes, plans

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

# Each call has its own correlation id, an operation, and the events of five memories.
REQUESTS = """
UPDATE calls SET correlation_id = 'request-' || position;

INSERT INTO operations (
    project_id, operation_id, scope_key, payload_digest, output_format, correlation_id
)
SELECT project_id, call_id, scope_key, '', 'v1.1', correlation_id FROM calls;

INSERT INTO memory_events (
    project_id, memory_id, version, position, ordinal, call_id, type, change_time, state
)
SELECT project_id, memory_id, 1, 1, 0, call_id, 'ADD', create_time, '{}' FROM memories;

ANALYZE calls, operations, memory_events
"""


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str, loaded_dsn: str) -> AsyncIterator[Connection]:
    """A connection to a database with a few thousand calls, which no test changes."""
    async with (
        copied_database(postgres_server, loaded_dsn) as dsn,
        connected_after(dsn, REQUESTS) as connection,
    ):
        yield connection


@pytest.mark.parametrize("table", ["calls", "operations"])
@pytest.mark.parametrize("project_id", [None, PROJECT], ids=["of-all-projects", "of-one"])
async def test_calls_and_operations_are_found_by_their_correlation_id(
    connection: Connection, table: str, project_id: str | None
) -> None:
    find = TRACES_SQL[table](correlation_id="request-7", project_id=project_id)
    for plan in await plans(connection, *find):
        assert indexes(plan, table) == {f"{table}_correlation_id"}


async def test_the_changes_of_the_calls_are_found_by_their_keys(connection: Connection) -> None:
    find = TRACES_SQL["changes"](project_ids=[PROJECT], call_ids=[UUID(int=1)])
    for plan in await plans(connection, *find):
        assert indexes(plan, "memory_events") == {"memory_events_call"}
