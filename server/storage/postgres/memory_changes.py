"""Changes by hand on PostgreSQL, of single memories or whole scopes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from server.core.errors import ConcurrentChange, MemoryDuplicate, RequestIdReused
from server.memories.change.effects import memory_digest
from server.memories.changes import Call, Deletion, Replacement
from server.memories.filters.filter import Filter
from server.memories.memory import EventType
from server.memories.scope import DeletionReceipt, ScopeKind, ScopeSummary, StoredDeletion
from server.storage.postgres.commit import purge_expired, translate_conflicts
from server.storage.postgres.connections import transaction
from server.storage.postgres.erasing import (
    CHANGES,
    NothingToErase,
    OnlyValidated,
    erase,
    erase_matching,
    erasure_statement,
    purge,
    remove_matching,
    to_deletion,
    translate_version_conflicts,
)
from server.storage.postgres.erasing import SQL as ERASE
from server.storage.postgres.filters import reads_values
from server.storage.postgres.pool import Database
from server.storage.postgres.record_calls import call_values
from server.storage.postgres.rows import from_entities, from_evidence, from_relations, to_halfvec
from server.storage.postgres.statements import BoundStatement
from server.telemetry.recording import record_changes, stage

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection

_DIGEST_INDEX = "memories_digest"


class PostgresMemoryChanges:
    """Implements the methods of `server.memories.ports.MemoryStore` that change memories by hand.

    `on_commit` and `on_graph_change` are called after every commit, so that readers and projectors
    that wait for changes do not poll.
    """

    def __init__(
        self,
        database: Database,
        on_commit: Callable[[], None],
        on_graph_change: Callable[[], None],
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._on_graph_change = on_graph_change

    async def replace(self, call: Call, change: Replacement) -> int:
        with translate_conflicts(call), translate_version_conflicts():
            async with self._database.connection() as connection:
                with stage("commit"):
                    position = await _replace(connection, call, change)
        if position is None:
            raise ConcurrentChange
        self._announce()
        is_update = change.restores is None
        record_changes(updated=is_update, restored=not is_update)
        return position

    async def delete(self, call: Call, deletion: Deletion) -> StoredDeletion:
        with translate_conflicts(call):
            async with self._database.connection() as connection:
                with stage("commit"):
                    row = await connection.fetchrow(
                        *CHANGES["delete_by_hand"](
                            **call_values(call),
                            memory_id=deletion.memory_id,
                            version=deletion.version,
                        )
                    )
        if row is None:
            raise ConcurrentChange
        return self._deleted(to_deletion(row, call.payload_digest))

    async def erase(self, call: Call, deletion: Deletion) -> StoredDeletion:
        key = {"project_id": call.project_id, "memory_id": deletion.memory_id}
        with translate_conflicts(call), translate_version_conflicts():
            async with self._database.connection() as connection, transaction(connection):
                await connection.execute(*ERASE["lock_memory"](**key))
                newest = await connection.fetchval(*ERASE["newest_version"](**key))
                if newest != deletion.version:
                    raise ConcurrentChange
                with stage("commit"):
                    erased = await erase(connection, call, [deletion.memory_id])
                # A deleted memory has no row to lock, so it can be restored before it is erased.
                last = await connection.fetchval(*ERASE["last_version"](**key))
                if last != deletion.version + 1:
                    raise ConcurrentChange
        return self._deleted(erased)

    async def list_scopes(
        self, project_id: str, kind: ScopeKind, after_id: str, limit: int, visible_on: date
    ) -> list[ScopeSummary]:
        bound = CHANGES["list_scopes"].fill(column=kind)(
            project_id=project_id, after_id=after_id, limit=limit, visible_on=visible_on
        )
        return [
            ScopeSummary(kind, row["id"], row["memory_count"], row["last_activity_time"])
            for row in await self._database.fetch(bound)
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
        remove = erase_matching if erase else remove_matching
        try:
            with translate_conflicts(call), translate_version_conflicts():
                database = self._database
                taken = database.long_write() if reads_values(filters) else database.connection()
                async with taken as connection:
                    if not erase and not validate_only:
                        # A single statement is a transaction and needs one round trip.
                        return self._deleted(await remove(connection, call, filters))
                    async with transaction(connection):
                        deletion = await remove(connection, call, filters)
                        if validate_only:
                            raise OnlyValidated(deletion)
        except OnlyValidated as validated:
            return validated.deletion
        return self._deleted(deletion)

    async def erase_scope(
        self, call: Call, kind: ScopeKind, scope_id: str
    ) -> StoredDeletion | None:
        try:
            with translate_conflicts(call):
                async with self._database.connection() as connection, transaction(connection):
                    for name in ("lock_operations", "lock_scope", "lock_passages"):
                        lock = CHANGES[name].fill(column=kind)
                        await connection.execute(
                            *lock(project_id=call.project_id, scope_id=scope_id)
                        )
                    with stage("commit"):
                        row = await connection.fetchrow(*erasure_statement(call, kind, scope_id))
                    if row is None or not row["was_known"]:
                        raise NothingToErase
        except NothingToErase:
            return None
        return self._deleted(to_deletion(row, call.payload_digest))

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        with translate_version_conflicts():
            async with self._database.connection() as connection, transaction(connection):
                receipt = await purge(connection, expired_before, limit, call_of)
        if receipt is not None:
            self._announce()
            record_changes(deleted=receipt.memories)
        return receipt

    def _announce(self) -> None:
        self._on_commit()
        self._on_graph_change()

    def _deleted(self, deletion: StoredDeletion) -> StoredDeletion:
        self._announce()
        record_changes(deleted=deletion.receipt.memories)
        return deletion

    async def claim_batch(self, batch: Call) -> frozenset[int]:
        if batch.request_id is None:
            return frozenset()
        async with self._database.connection() as connection:
            await connection.execute(*CHANGES["claim_batch"](**call_values(batch)))
            # A separate statement, because it must see the commits of concurrent calls.
            rows = await connection.fetch(
                *CHANGES["batch_items"](project_id=batch.project_id, request_id=batch.request_id)
            )
        if any(row["payload_digest"] != batch.payload_digest for row in rows):
            raise RequestIdReused(batch.request_id)
        return frozenset(row["item"] for row in rows) - {0}

    async def find_deletion(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredDeletion | None:
        row = await self._database.fetchrow(
            CHANGES["find_deletion"](project_id=project_id, request_id=request_id, item=item)
        )
        return to_deletion(row, row["payload_digest"]) if row else None


async def _replace(connection: Connection, call: Call, change: Replacement) -> int | None:
    """Stores the next state, after purging an expired memory that is equal to it, if any.

    Raises:
        MemoryDuplicate: such a memory has not expired.
    """
    digest = memory_digest(change.memory)
    statement = _replacement(call, change, digest)
    position: int | None
    try:
        position = await connection.fetchval(*statement)
        return position
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _DIGEST_INDEX:
            raise
    try:
        async with transaction(connection):
            await purge_expired(connection, call, [digest])
            position = await connection.fetchval(*statement)
            return position
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name != _DIGEST_INDEX:
            raise
        raise MemoryDuplicate(change.memory.id) from error


def _replacement(call: Call, change: Replacement, digest: bytes) -> BoundStatement:
    memory = change.memory
    values: dict[str, object] = {
        **call_values(call),
        "memory_id": memory.id,
        "version": memory.version - 1,
        "digest": digest,
        "embedding": None if change.embedding is None else to_halfvec(change.embedding),
    }
    if change.restores is not None:
        return CHANGES["restore_memory"](
            **values, from_version=change.restores, type=EventType.RESTORE
        )
    return CHANGES["replace_memory"](
        **values,
        type=EventType.UPDATE,
        text=memory.text,
        metadata=dict(memory.metadata),
        categories=list(memory.categories),
        entities=from_entities(memory.entities),
        relations=from_relations(memory.relations),
        evidence=from_evidence(memory.provenance.evidence),
        expiration_date=memory.expiration_date,
    )
