"""Whole scopes on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

from server.memories.filters.filter import Filter
from server.memories.ports import Call
from server.memories.scope import ScopeKind, ScopeSummary, StoredDeletion
from server.storage.postgres.commit import call_values, translate_conflicts
from server.storage.postgres.erasing import SQL as ERASE
from server.storage.postgres.erasing import erase as erase_memories
from server.storage.postgres.erasing import to_deletion, translate_version_conflicts
from server.storage.postgres.filters import filter_condition, reads_values, scope_condition
from server.storage.postgres.memory_changes import SQL
from server.storage.postgres.pool import Database, transaction
from server.storage.postgres.statements import BoundStatement
from server.telemetry.recording import record_changes, stage

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection


class _OnlyValidated(Exception):
    """Rolls back a deletion of which only the receipt was requested."""

    def __init__(self, deletion: StoredDeletion) -> None:
        super().__init__()
        self.deletion = deletion


class _NothingKept(Exception):
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
        bound = SQL["list_scopes"].fill(column=kind)(
            project_id=project_id, after_id=after_id, limit=limit, visible_on=visible_on
        )
        async with self._database.connection() as connection:
            rows = await connection.fetch(*bound)
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
                database = self._database
                taken = database.long_write() if reads_values(filters) else database.connection()
                async with taken as connection:
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
        try:
            with translate_conflicts(call):
                async with self._database.connection() as connection, transaction(connection):
                    for name in ("lock_operations", "lock_scope", "lock_passages"):
                        lock = SQL[name].fill(column=kind)
                        await connection.execute(
                            *lock(project_id=call.project_id, scope_id=scope_id)
                        )
                    with stage("commit"):
                        row = await connection.fetchrow(*erasure_statement(call, kind, scope_id))
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
            row = await connection.fetchrow(
                *SQL["find_deletion"](project_id=project_id, request_id=request_id, item=0)
            )
        return to_deletion(row, row["payload_digest"]) if row else None


async def _remove_matching(
    connection: Connection, call: Call, filters: Filter | None
) -> StoredDeletion:
    with stage("commit"):
        row = await connection.fetchrow(*deletion_statement(call, filters))
    return to_deletion(row, call.payload_digest)


async def _erase_matching(
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
