"""The statements of a call, as its trace shows them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import asyncpg
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from server.storage.postgres.connections import transaction
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from tests.support.builders import adding


@pytest.fixture
def store(database: Database) -> PostgresMemoryStore:
    return PostgresMemoryStore(database, on_commit=lambda: None)


async def sent(exported: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    # asyncpg reports a statement in the loop's next turn.
    await asyncio.sleep(0)
    return {finished.name: finished for finished in exported.get_finished_spans()}


async def test_a_statement_is_a_span_with_its_name_and_nothing_of_its_values(
    store: PostgresMemoryStore, exported: InMemorySpanExporter
) -> None:
    # A connection's first statement makes asyncpg ask for types too.
    await store.commit(adding("Alice is well"))
    with trace.get_tracer("test").start_as_current_span("rpc"):
        await store.commit(adding("Alice is ill"))
    spans = await sent(exported)
    assert set(spans) == {"record_calls", "commit", "rpc"}
    statement = spans["record_calls"]
    assert (statement.kind, statement.parent) == (SpanKind.CLIENT, spans["commit"].context)
    assert (statement.attributes or {})["db.system.name"] == "postgresql"
    assert (statement.attributes or {})["db.query.summary"] == "record_calls"
    assert "Alice" not in statement.to_json()
    assert statement.start_time is not None
    assert statement.end_time is not None
    assert statement.start_time < statement.end_time


async def test_a_transaction_shows_its_statements(
    database: Database, exported: InMemorySpanExporter
) -> None:
    with trace.get_tracer("test").start_as_current_span("rpc"):
        async with database.connection() as connection, transaction(connection):
            await connection.execute("SELECT 1")
    spans = await sent(exported)
    whole = spans["transaction"]
    assert [spans[name].parent for name in ("BEGIN", "SELECT", "COMMIT")] == [whole.context] * 3


async def test_a_statement_that_fails_says_how(
    database: Database, exported: InMemorySpanExporter
) -> None:
    with trace.get_tracer("test").start_as_current_span("rpc"), suppress(asyncpg.DataError):
        async with database.connection() as connection:
            await connection.execute("SELECT 1 / 0")
    statement = (await sent(exported))["SELECT"]
    assert statement.status.status_code is StatusCode.ERROR
    assert (statement.attributes or {})["db.response.status_code"] == "22012"


async def test_statements_outside_of_traced_calls_have_no_span(
    database: Database, exported: InMemorySpanExporter
) -> None:
    with trace.get_tracer("test").start_as_current_span("rpc"):
        async with database.connection() as connection:
            await connection.execute("SELECT 1")
    async with database.connection() as connection:
        await connection.execute("VALUES (1)")
    assert set(await sent(exported)) == {"SELECT", "rpc"}
