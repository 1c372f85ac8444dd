"""Whole scopes on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from server.memories.filters.filter import Filter
from server.memories.ports import Call
from server.memories.scope import Scope, ScopeKind, ScopeSummary, StoredDeletion
from server.storage.postgres.commit import call_values, changing_statements, translate_conflicts
from server.storage.postgres.erasing import SQL as ERASE
from server.storage.postgres.erasing import erase as erase_memories
from server.storage.postgres.erasing import to_deletion, translate_version_conflicts
from server.storage.postgres.filters import filter_condition, scope_condition
from server.storage.postgres.pool import Database, transaction
from server.storage.statements import load_statements
from server.telemetry.recording import record_changes, stage

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

SQL = changing_statements("mutations.sql")
PASSAGES = load_statements("server.storage.postgres", "passages.sql")
_CALL_PARAMETERS = 17
# The only names that ever stand for `{column}` in a statement.
_COLUMNS = {
    ScopeKind.USER: "user_id",
    ScopeKind.AGENT: "agent_id",
    ScopeKind.APP: "app_id",
    ScopeKind.RUN: "run_id",
}


class _OnlyValidated(Exception):
    """Rolls back a deletion of which only the receipt was requested."""

    def __init__(self, deletion: StoredDeletion) -> None:
        super().__init__()
        self.deletion = deletion


class _NothingKept(Exception):
    """Rolls back an erasure that found nothing to erase."""


def deletion_statement(scope: Scope, filters: Filter | None) -> tuple[str, list[object]]:
    """The statement that deletes what matches, and the last values to bind to it."""
    condition, values = scope_condition(scope, _CALL_PARAMETERS + 1)
    matching, bound = filter_condition(filters, _CALL_PARAMETERS + 1 + len(values))
    statement = SQL["delete_memories"]
    return (
        statement.replace("{passages}", PASSAGES["present"])
        .replace("{scope}", condition)
        .replace("{filters}", matching),
        [*values, *bound],
    )


class PostgresScopeStore:
    """Implements `server.memories.change.ports.ScopeStore`.

    `on_commit` is called after every commit, so that what waits for changes need not poll.
    """

    def __init__(self, database: Database, on_commit: Callable[[], None]) -> None:
        self._database = database
        self._on_commit = on_commit

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        statement = SQL["list_scopes"].replace("{column}", _COLUMNS[kind])
        async with self._database.connection() as connection:
            rows = await connection.fetch(statement, project_id, after_id, limit, visible_on)
        return [
            ScopeSummary(kind, row["id"], row["memory_count"], row["last_activity_time"])
            for row in rows
        ]

    async def delete_memories(
        self,
        call: Call,
        filters: Filter | None = None,
        *,
        erase: bool = False,
        validate_only: bool = False,
    ) -> StoredDeletion:
        if not call.scope.parts() and filters is None:
            raise ValueError("neither scope nor filters would delete the whole project")
        remove = _erase_matching if erase else _remove_matching
        try:
            with translate_conflicts(call), translate_version_conflicts():
                async with self._database.connection() as connection:
                    if not erase and not validate_only:
                        # By itself a statement is a transaction, and one round trip.
                        return self._committed(await remove(connection, call, filters))
                    async with transaction(connection):
                        deletion = await remove(connection, call, filters)
                        if validate_only:
                            raise _OnlyValidated(deletion)
        except _OnlyValidated as validated:
            return validated.deletion
        return self._committed(deletion)

    async def erase(self, call: Call, kind: ScopeKind, scope_id: str) -> StoredDeletion | None:
        column = _COLUMNS[kind]
        asked = SQL["lock_operations"].replace("{column}", column)
        lock = SQL["lock_scope"].replace("{column}", column)
        statement = SQL["erase_scope"].replace("{column}", column)
        try:
            with translate_conflicts(call):
                async with self._database.connection() as connection, transaction(connection):
                    await connection.execute(asked, call.project_id, scope_id)
                    await connection.execute(lock, call.project_id, scope_id)
                    with stage("commit"):
                        row = await connection.fetchrow(statement, *call_values(call), scope_id)
                    if row is None or not row["was_known"]:
                        raise _NothingKept
        except _NothingKept:
            return None
        return self._committed(to_deletion(row, call.payload_digest))

    def _committed(self, deletion: StoredDeletion) -> StoredDeletion:
        self._on_commit()
        record_changes(deleted=deletion.receipt.memories)
        return deletion

    async def find_deletion(self, project_id: str, request_id: UUID) -> StoredDeletion | None:
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["find_deletion"], project_id, request_id, 0)
        return to_deletion(row, row["payload_digest"]) if row else None


async def _remove_matching(
    connection: Connection, call: Call, filters: Filter | None
) -> StoredDeletion:
    statement, values = deletion_statement(call.scope, filters)
    with stage("commit"):
        row = await connection.fetchrow(statement, *call_values(call), *values)
    return to_deletion(row, call.payload_digest)


async def _erase_matching(
    connection: Connection, call: Call, filters: Filter | None
) -> StoredDeletion:
    condition, values = scope_condition(call.scope, first_parameter=2)
    matching, bound = filter_condition(filters, 2 + len(values))
    lock, untell = (
        ERASE[name]
        .replace("{passages}", PASSAGES["present"])
        .replace("{scope}", condition)
        .replace("{filters}", matching)
        for name in ("lock_matching", "erase_matching_passages")
    )
    with stage("commit"):
        rows = await connection.fetch(lock, call.project_id, *values, *bound)
        counts = await connection.fetchrow(untell, call.project_id, *values, *bound)
        ids = [row["memory_id"] for row in rows]
        return await erase_memories(connection, call, ids, dict(counts or {}))
