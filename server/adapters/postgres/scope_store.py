"""Whole scopes on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from server.adapters.postgres.changing import call_values, changing_statements, conflicts_told
from server.adapters.postgres.filter_condition import filter_condition
from server.adapters.postgres.pool import Database, transaction
from server.adapters.postgres.scope_condition import scope_condition
from server.adapters.statements import load_statements
from server.domain.filters import Filter
from server.domain.scope import Scope
from server.domain.scope_kinds import DeletionReceipt, ScopeKind, ScopeSummary
from server.ports.memory_store import Call
from server.ports.scope_store import StoredDeletion
from server.telemetry.recording import record_changes, stage

if TYPE_CHECKING:
    from server.adapters.postgres.rows import Row

SQL = changing_statements("life.sql")
PASSAGES = load_statements("server.adapters.postgres.sql", "passages.sql")
_CALL_PARAMETERS = 17
# The only names that ever stand for `{column}` in a statement.
_COLUMNS = {
    ScopeKind.USER: "user_id",
    ScopeKind.AGENT: "agent_id",
    ScopeKind.APP: "app_id",
    ScopeKind.RUN: "run_id",
}


class _NothingKept(Exception):
    """Undoes an erasure that had nothing to erase."""


def removal_statement(scope: Scope, filters: Filter | None) -> tuple[str, list[object]]:
    """The statement that deletes what matches, and the last values to bind to it."""
    condition, values = scope_condition(scope, _CALL_PARAMETERS + 1)
    matching, bound = filter_condition(filters, _CALL_PARAMETERS + 1 + len(values))
    statement = SQL["remove_memories"]
    return (
        statement.replace("{passages}", PASSAGES["present"])
        .replace("{scope}", condition)
        .replace("{filters}", matching),
        [*values, *bound],
    )


class PostgresScopeStore:
    """Implements `server.ports.scope_store.ScopeStore`.

    `on_commit` is called after every commit, so that what waits for changes need not poll.
    """

    def __init__(self, database: Database, on_commit: Callable[[], None]) -> None:
        self._database = database
        self._on_commit = on_commit

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        """See the port."""
        statement = SQL["list_scopes"].replace("{column}", _COLUMNS[kind])
        async with self._database.connection() as connection:
            rows = await connection.fetch(statement, project_id, after_id, limit, visible_on)
        return [
            ScopeSummary(kind, row["id"], row["memory_count"], row["last_activity_time"])
            for row in rows
        ]

    async def remove_memories(self, call: Call, filters: Filter | None = None) -> StoredDeletion:
        """See the port."""
        if not call.scope.parts() and filters is None:
            raise ValueError("neither scope nor filters would delete the whole project")
        statement, values = removal_statement(call.scope, filters)
        with conflicts_told(call):
            async with self._database.connection() as connection:
                with stage("commit"):
                    row = await connection.fetchrow(statement, *call_values(call), *values)
        return self._committed(_to_deletion(row, call.payload_digest))

    async def erase(self, call: Call, kind: ScopeKind, scope_id: str) -> StoredDeletion | None:
        """See the port."""
        column = _COLUMNS[kind]
        asked = SQL["lock_operations"].replace("{column}", column)
        lock = SQL["lock_scope"].replace("{column}", column)
        statement = SQL["erase_scope"].replace("{column}", column)
        try:
            with conflicts_told(call):
                async with self._database.connection() as connection, transaction(connection):
                    await connection.execute(asked, call.project_id, scope_id)
                    await connection.execute(lock, call.project_id, scope_id)
                    with stage("commit"):
                        row = await connection.fetchrow(statement, *call_values(call), scope_id)
                    if row is None or not row["was_known"]:
                        raise _NothingKept
        except _NothingKept:
            return None
        return self._committed(_to_deletion(row, call.payload_digest))

    def _committed(self, deletion: StoredDeletion) -> StoredDeletion:
        self._on_commit()
        record_changes(deleted=deletion.receipt.memories)
        return deletion

    async def find_deletion(self, project_id: str, request_id: UUID) -> StoredDeletion | None:
        """See the port."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["find_deletion"], project_id, request_id)
        return _to_deletion(row, row["payload_digest"]) if row else None


def _to_deletion(row: Row | None, payload_digest: bytes) -> StoredDeletion:
    if row is None:
        raise AssertionError("a deletion answers one row")
    return StoredDeletion(DeletionReceipt(**row["counts"]), row["position"], payload_digest)
