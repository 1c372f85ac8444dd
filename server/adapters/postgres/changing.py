"""What the statements that change memories have in common."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import asyncpg

from server.adapters.statements import load_statements
from server.domain.errors import ConcurrentChange, RequestIdReused
from server.ports.memory_store import Call

REQUEST_ID_INDEX = "calls_request_id"
_PACKAGE = "server.adapters.postgres.sql"
_BLOCKS = load_statements(_PACKAGE, "changing.sql")


def changing_statements(filename: str) -> Mapping[str, str]:
    """The statements of a file that may name the blocks of `changing.sql`."""
    return load_statements(_PACKAGE, filename, blocks=_BLOCKS)


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
