"""The cost of the queue grows neither with the operations of one scope nor with finished ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import pytest_asyncio

from server.storage.postgres.operations import SQL
from server.storage.postgres.statements import BoundStatement
from tests.support.builders import PROJECT
from tests.support.postgres import loaded

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

WAITING = 4_000
OTHERS = 20
DONE = 40_000
FAILED = 30
LOAD = f"""
INSERT INTO operations (
    project_id, operation_id, scope_key, payload_digest, payload, output_format, correlation_id
)
SELECT '{PROJECT}', gen_random_uuid(), '\\x00', '', '', 'v1.1', 'c'
FROM generate_series(1, {WAITING});

INSERT INTO operations (
    project_id, operation_id, scope_key, payload_digest, payload, output_format, correlation_id
)
SELECT '{PROJECT}', gen_random_uuid(), int4send(number), '', '', 'v1.1', 'c'
FROM generate_series(1, {OTHERS}) AS number;

INSERT INTO operations (
    project_id, operation_id, scope_key, payload_digest, output_format, correlation_id,
    state, end_time
)
SELECT '{PROJECT}', gen_random_uuid(), '\\x00', '', 'v1.1', 'c',
       CASE WHEN number <= {FAILED} THEN 'FAILED' ELSE 'SUCCEEDED' END, now()
FROM generate_series(1, {DONE}) AS number
"""
LONG = timedelta(minutes=5)
QUIET = "quiet"
LONG_QUEUE = f"""
INSERT INTO operations (
    project_id, operation_id, scope_key, payload_digest, payload, output_format, correlation_id
)
SELECT '{PROJECT}', gen_random_uuid(), int4send(number % 50000), '', '', 'v1.1', 'c'
FROM generate_series(1, 100000) AS number;

INSERT INTO operations (
    project_id, operation_id, scope_key, payload_digest, payload, output_format, correlation_id
)
VALUES ('{QUIET}', gen_random_uuid(), '\\x00', '', '', 'v1.1', 'c')
"""


@pytest_asyncio.fixture(scope="module")
async def connection(postgres_server: str) -> AsyncIterator[Connection]:
    async with loaded(postgres_server, LOAD, "ANALYZE operations") as connection:
        yield connection


def operators(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for child in plan.get("Plans", []):
        yield from operators(child)


def rows_read(operator: dict[str, Any]) -> float:
    """How many rows of the table a step reads, including those that it discards."""
    read = operator["Actual Rows"] + operator.get("Rows Removed by Filter", 0)
    return float(read * operator["Actual Loops"])


async def all_read(connection: Connection, statement: str, *arguments: object) -> float:
    """How many rows of the table a statement reads; it is rolled back."""
    transaction = connection.transaction()
    await transaction.start()
    try:
        [[plan]] = await connection.fetch(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", *arguments)
    finally:
        await transaction.rollback()
    steps = operators(json.loads(plan)[0]["Plan"])
    return sum(rows_read(step) for step in steps if "Relation Name" in step)


def claim_of(limit: int) -> BoundStatement:
    return SQL["claim"](
        limit=limit,
        lease=uuid4(),
        duration=LONG,
        server_id=None,
        share=limit,
        busy_projects=[],
        busy_counts=[],
    )


async def test_a_claim_finds_every_scope_and_reads_little(connection: Connection) -> None:
    claim = claim_of(100)
    assert await all_read(connection, *claim) < 3 * 256
    claimed = await connection.fetch(*claim)
    assert len(claimed) == 1 + OTHERS


async def test_a_long_queue_of_one_project_does_not_make_a_claim_cost_more(
    postgres_server: str,
) -> None:
    async with loaded(postgres_server, LONG_QUEUE, "ANALYZE operations") as connection:
        claim = claim_of(8)
        assert await all_read(connection, *claim) < 20 * 8
        claimed = await connection.fetch(*claim)
        assert sorted(row["project_id"] for row in claimed).count(QUIET) == 1


@pytest.mark.parametrize("project_id", [None, PROJECT], ids=["of-all-projects", "of-one"])
async def test_reading_the_queue_skips_finished_operations(
    connection: Connection, project_id: str | None
) -> None:
    pending = WAITING + OTHERS
    statistics = SQL["statistics"](project_id=project_id)
    assert await all_read(connection, *statistics) == pending + FAILED
    row = await connection.fetchrow(*statistics)
    assert row is not None
    assert (row["queued"] + row["running"], row["given_up"]) == (pending, FAILED)
