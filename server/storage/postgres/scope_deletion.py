"""Deleting and erasing all memories of a scope on PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.memories.filters.filter import Filter
from server.memories.ports import Call
from server.memories.scope import ScopeKind, StoredDeletion
from server.storage.postgres.commit import call_values
from server.storage.postgres.erasing import SQL as ERASE
from server.storage.postgres.erasing import erase as erase_memories
from server.storage.postgres.erasing import to_deletion
from server.storage.postgres.filters import filter_condition, scope_condition
from server.storage.postgres.statements import BoundStatement, load_sql
from server.telemetry.recording import stage

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

SQL = load_sql("mutations.sql", "changing.sql", "passages.sql")


class OnlyValidated(Exception):
    """Rolls back a deletion of which only the receipt was requested."""

    def __init__(self, deletion: StoredDeletion) -> None:
        super().__init__()
        self.deletion = deletion


class NothingKept(Exception):
    """Rolls back an erasure that found nothing to erase."""


def deletion_statement(call: Call, filters: Filter | None) -> BoundStatement:
    """The statement that deletes what matches the call's scope and the filters."""
    scope, matching = scope_condition(call.scope), filter_condition(filters)
    statement = SQL["delete_memories"].fill(scope=scope.text, filters=matching.text)
    return statement(**call_values(call), **scope.values, **matching.values)


def erasure_statement(call: Call, kind: ScopeKind, scope_id: str) -> BoundStatement:
    """The statement that erases everything of the scopes with this id."""
    return SQL["erase_scope"].fill(column=kind)(
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
        ERASE[name].fill(scope=scope.text, filters=matching.text)
        for name in ("lock_matching", "erase_matching_passages")
    )
    values = {"project_id": call.project_id, **scope.values, **matching.values}
    with stage("commit"):
        rows = await connection.fetch(*lock(**values))
        counts = await connection.fetchrow(*erase_passages(**values))
        ids = [row["memory_id"] for row in rows]
        return await erase_memories(connection, call, ids, dict(counts or {}))
