"""Deletes or erases everything that matches a scope and filters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.memories.changes import Call
from server.memories.filters.filter import Filter
from server.memories.scope import ScopeKind, StoredDeletion
from server.storage.postgres.erasing import SQL, erase, to_deletion
from server.storage.postgres.filters import filter_condition, scope_condition
from server.storage.postgres.record_calls import call_values
from server.storage.postgres.statements import BoundStatement, load_sql
from server.telemetry.recording import stage

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

CHANGES = load_sql("memory_changes.sql", "changing.sql", "passages.sql")


class OnlyValidated(Exception):
    """Rolls back a deletion if only its receipt was requested."""

    def __init__(self, deletion: StoredDeletion) -> None:
        super().__init__()
        self.deletion = deletion


class NothingToErase(Exception):
    """Rolls back an erasure that found nothing to erase."""


def deletion_statement(call: Call, filters: Filter | None) -> BoundStatement:
    """Returns the statement that deletes what matches the call's scope and the filters."""
    scope, matching = scope_condition(call.scope), filter_condition(filters)
    statement = CHANGES["delete_memories"].fill(scope=scope.text, filters=matching.text)
    return statement(**call_values(call), **scope.values, **matching.values)


def erasure_statement(call: Call, kind: ScopeKind, scope_id: str) -> BoundStatement:
    """Returns the statement that erases everything of the scopes with this id."""
    return CHANGES["erase_scope"].fill(column=kind)(
        **call_values(call), scope_id=scope_id, field=kind, kind=kind.removesuffix("_id")
    )


async def remove_matching(
    connection: Connection, call: Call, filters: Filter | None
) -> StoredDeletion:
    with stage("commit"):
        row = await connection.fetchrow(*deletion_statement(call, filters))
    return to_deletion(row, call.payload_digest)


async def erase_matching(
    connection: Connection, call: Call, filters: Filter | None
) -> StoredDeletion:
    scope, matching = scope_condition(call.scope), filter_condition(filters)
    lock, erase_passages = (
        SQL[name].fill(scope=scope.text, filters=matching.text)
        for name in ("lock_matching", "erase_matching_passages")
    )
    values = {"project_id": call.project_id, **scope.values, **matching.values}
    with stage("commit"):
        rows = await connection.fetch(*lock(**values))
        counts = await connection.fetchrow(*erase_passages(**values))
        ids = [row["memory_id"] for row in rows]
        return await erase(connection, call, ids, dict(counts or {}))
