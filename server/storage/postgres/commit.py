"""Writes a call with all its effects in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from server.core.errors import ConcurrentChange, RequestIdReused
from server.memories.memory import today
from server.memories.ports import (
    Call,
    ChangeSet,
    Committed,
    MemoryDeletion,
    MemoryUpdate,
)
from server.storage.postgres.commit_groups import CommitGroups
from server.storage.postgres.connections import transaction
from server.storage.postgres.record_calls import record
from server.storage.postgres.rows import (
    from_entities,
    from_evidence,
    from_relations,
    to_halfvec,
)
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database


REQUEST_ID_INDEX = "calls_request_id"


@contextmanager
def translate_conflicts(call: Call) -> Iterator[None]:
    """Translates conflicts between two calls to domain errors.

    Raises:
        RequestIdReused: the call's `request_id` and `item` are taken.
        ConcurrentChange: the calls deadlocked on each other's rows.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == REQUEST_ID_INDEX and call.request_id is not None:
            raise RequestIdReused(call.request_id) from error
        raise
    except asyncpg.DeadlockDetectedError as error:
        raise ConcurrentChange from error


SQL = load_sql("commit.sql", "changing.sql")


class Commits:
    """Stores change sets; those that only add may share a statement with others."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._groups = CommitGroups(self._record)

    async def commit(self, changes: ChangeSet) -> Committed:
        """Stores the change set; see `MemoryStore.commit`.

        Without updates and deletions, which is the usual case, this is a single statement, and so a
        single round trip.
        """
        try:
            with translate_conflicts(changes.call):
                if not (changes.updated or changes.deleted or changes.forget_requests):
                    committed = await self._groups.write(changes)
                    if committed is not None:
                        return committed
                async with self._database.connection() as connection, transaction(connection):
                    return await _commit_all(connection, changes)
        except asyncpg.UniqueViolationError as error:
            # This is not the index of request ids: an update would make two memories equal.
            raise ConcurrentChange from error

    async def _record(self, together: Sequence[ChangeSet]) -> list[Committed | None]:
        async with self._database.connection() as connection:
            return await record(connection, together)


async def _commit_all(connection: Connection, changes: ChangeSet) -> Committed:
    [committed] = await record(connection, [changes])
    if committed is None:
        digests = [added.digest for added in changes.added]
        await purge_expired(connection, changes.call, digests)
        [committed] = await record(connection, [changes])
    if committed is None:
        raise ConcurrentChange
    # Every call uses the same order, so that two calls cannot deadlock on each other's rows.
    for deletion in sorted(changes.deleted, key=lambda deletion: deletion.memory_id):
        await _delete(connection, changes.call, deletion, committed.position)
    for update in sorted(changes.updated, key=lambda update: update.memory_id):
        await _update(connection, changes.call, update, committed.position)
    if changes.forget_requests:
        await connection.execute(
            *SQL["forget_passages"](
                project_id=changes.call.project_id,
                scope_key=changes.call.scope.key(),
                forget_requests=list(changes.forget_requests),
                call_time=changes.call.time,
            )
        )
    return committed


async def purge_expired(connection: Connection, call: Call, digests: Sequence[bytes]) -> None:
    """Deletes expired memories of the call's scope that hold one of the digests."""
    await connection.execute(
        *SQL["purge_expired"](
            project_id=call.project_id,
            scope_key=call.scope.key(),
            digests=list(digests),
            today=today(call.time),
            call_id=call.id,
            call_time=call.time,
            correlation_id=call.correlation_id,
            traceparent=call.traceparent,
        )
    )


async def _delete(
    connection: Connection, call: Call, deletion: MemoryDeletion, position: int
) -> None:
    version = await connection.fetchval(
        *SQL["delete_memory"](
            project_id=call.project_id,
            memory_id=deletion.memory_id,
            version=deletion.version,
            call_id=call.id,
            position=position,
            ordinal=deletion.ordinal,
            call_time=call.time,
            correlation_id=call.correlation_id,
            traceparent=call.traceparent,
        )
    )
    _require(version)


async def _update(connection: Connection, call: Call, update: MemoryUpdate, position: int) -> None:
    version = await connection.fetchval(
        *SQL["update_memory"](
            project_id=call.project_id,
            memory_id=update.memory_id,
            version=update.version,
            call_id=call.id,
            text=update.text,
            digest=update.digest,
            embedding=to_halfvec(update.embedding),
            metadata=dict(update.metadata),
            categories=list(update.categories),
            entities=from_entities(update.entities),
            relations=from_relations(update.relations),
            evidence=from_evidence(update.evidence),
            event_time=update.event_time,
            expiration_date=update.expiration_date,
            call_time=call.time,
            role=update.role,
            name=update.name,
            position=position,
            ordinal=update.ordinal,
            correlation_id=call.correlation_id,
            traceparent=call.traceparent,
        )
    )
    _require(version)


def _require(version: int | None) -> None:
    if version is None:
        raise ConcurrentChange
