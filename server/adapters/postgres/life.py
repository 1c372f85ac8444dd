"""What the statements of `life.sql` have in common."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg

from server.adapters.statements import load_statements
from server.domain.errors import ConcurrentChange, RequestIdReused
from server.ports.memory_store import Call

SQL = load_statements("server.adapters.postgres.sql", "life.sql")
REQUEST_ID_INDEX = "calls_request_id"


def changing_statement(name: str) -> str:
    """A changing statement with the fixed blocks of its call in place."""
    return (
        SQL[name]
        .replace("{call_columns}", SQL["call_columns"])
        .replace("{call_values}", SQL["call_values"])
    )


def call_values(call: Call) -> tuple[object, ...]:
    """The first parameters of every changing statement."""
    scope = call.scope
    return (
        call.project_id,
        call.id,
        call.method,
        scope.user_id,
        scope.agent_id,
        scope.app_id,
        scope.run_id,
        scope.key(),
        call.request_id,
        call.item,
        call.payload_digest,
        call.correlation_id,
        call.embedding_model,
        call.language_model,
        call.prompt_version,
        call.time,
        call.traceparent,
    )


@contextmanager
def conflicts_told(call: Call) -> Iterator[None]:
    """Tells what a conflict between two calls means.

    Raises:
        RequestIdReused: the call's `request_id` and `item` are taken.
        ConcurrentChange: the calls waited for each other's rows.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == REQUEST_ID_INDEX and call.request_id is not None:
            raise RequestIdReused(call.request_id) from error
        raise
    except asyncpg.DeadlockDetectedError as error:
        raise ConcurrentChange from error
