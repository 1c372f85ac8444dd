"""Writing one call with all its effects in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from server.core.errors import ConcurrentChange, RequestIdReused
from server.memories.memory import Memory, today
from server.memories.ports import (
    Call,
    ChangeSet,
    Committed,
    MemoryDeletion,
    MemoryUpdate,
    NewPassages,
)
from server.storage.postgres.pool import transaction
from server.storage.postgres.rows import (
    from_entities,
    from_evidence,
    from_notices,
    from_relations,
    to_halfvec,
)
from server.storage.statements import load_statements

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database


REQUEST_ID_INDEX = "calls_request_id"
_PACKAGE = "server.storage.postgres"
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


SQL = changing_statements("commit.sql")
RECORD_CALL = SQL["record_call"].replace("{passages}", "")
RECORD_CALL_WITH_PASSAGES = SQL["record_call"].replace(
    "{passages}", SQL["passages"].partition("\n")[2]
)


async def commit(database: Database, changes: ChangeSet) -> Committed:
    """Stores the change set; see `MemoryStore.commit`.

    Without updates and deletions, which is the usual case, it is a single statement, which is a
    transaction by itself, and so a single round trip.
    """
    try:
        with translate_conflicts(changes.call):
            async with database.connection() as connection:
                if not (changes.updated or changes.deleted or changes.forget_requests):
                    committed = await _record(connection, changes)
                    if committed is not None:
                        return committed
                async with transaction(connection):
                    return await _commit_all(connection, changes)
    except asyncpg.UniqueViolationError as error:
        # Not the index of request ids: an update would make two memories of the scope equal.
        raise ConcurrentChange from error


async def _commit_all(connection: Connection, changes: ChangeSet) -> Committed:
    committed = await _record(connection, changes)
    if committed is None:
        await _purge_expired(connection, changes)
        committed = await _record(connection, changes)
    if committed is None:
        raise ConcurrentChange
    # Every call uses the same order, so that two calls cannot deadlock on each other's rows.
    for deletion in sorted(changes.deleted, key=lambda deletion: deletion.memory_id):
        await _delete(connection, changes.call, deletion, committed.position)
    for revision in sorted(changes.updated, key=lambda revision: revision.memory_id):
        await _update(connection, changes.call, revision, committed.position)
    if changes.forget_requests:
        await connection.execute(
            SQL["forget_passages"],
            changes.call.project_id,
            changes.call.scope.key(),
            list(changes.forget_requests),
            changes.call.time,
        )
    return committed


async def _record(connection: Connection, changes: ChangeSet) -> Committed | None:
    """Writes the call and its new memories.

    Returns None if expired memories hold the same texts, or if the lease of the scope or of the
    operation has been taken over.
    """
    passages = changes.passages
    rows = await connection.fetch(
        RECORD_CALL_WITH_PASSAGES if passages else RECORD_CALL,
        *call_values(changes.call),
        *_memory_values(changes),
        *_messages(changes),
        changes.call.input_tokens,
        changes.call.output_tokens,
        changes.lease,
        changes.call.operation_lease,
        from_notices(changes.call.notices),
        *(_passage_values(passages) if passages else ()),
    )
    if not rows:
        return None
    added = frozenset(row["memory_id"] for row in rows if row["memory_id"] is not None)
    return Committed(added=added, position=rows[0]["position"])


def _memory_values(changes: ChangeSet) -> tuple[object, ...]:
    """The values that all memories of a call share, then one array for each other column."""
    memories = [added.memory for added in changes.added]
    shared = memories[0] if memories else None
    return (
        _event_time(changes),
        shared.inferred if shared else False,
        shared.immutable if shared else False,
        dict(shared.metadata) if shared else {},
        shared.expiration_date if shared else None,
        [memory.id for memory in memories],
        [memory.text for memory in memories],
        [added.digest for added in changes.added],
        [to_halfvec(added.embedding) for added in changes.added],
        [memory.role for memory in memories],
        [memory.name for memory in memories],
        [_details(memory) for memory in memories],
        [added.ordinal for added in changes.added],
        today(changes.call.time),
    )


def _passage_values(new: NewPassages) -> tuple[object, ...]:
    """One array for each column, and then the values that all passages share."""
    passages = new.passages
    return (
        [passage.passage_id for passage in passages],
        [passage.message_id for passage in passages],
        [passage.ordinal for passage in passages],
        [passage.role for passage in passages],
        [passage.name for passage in passages],
        [passage.digest for passage in passages],
        # In an object each, because arrays of arrays cannot be ragged.
        [{"sentences": list(passage.sentences)} for passage in passages],
        [to_halfvec(passage.embedding) for passage in passages],
        dict(new.metadata),
        new.expiration_date,
    )


def _details(memory: Memory) -> dict[str, object]:
    """The lists of a memory in one JSON object, because arrays of arrays cannot be ragged."""
    return {
        "categories": list(memory.categories),
        "entities": from_entities(memory.entities),
        "relations": from_relations(memory.relations),
        "evidence": from_evidence(memory.provenance.evidence),
    }


def _event_time(changes: ChangeSet) -> object:
    if changes.added:
        return changes.added[0].memory.event_time
    return changes.messages[0].event_time if changes.messages else changes.call.time


def _messages(changes: ChangeSet) -> tuple[Sequence[object], ...]:
    return (
        [message.ordinal for message in changes.messages],
        [message.id for message in changes.messages],
        [message.role for message in changes.messages],
        [message.name for message in changes.messages],
        [message.content for message in changes.messages],
    )


async def _purge_expired(connection: Connection, changes: ChangeSet) -> None:
    call = changes.call
    await connection.execute(
        SQL["purge_expired"],
        call.project_id,
        call.scope.key(),
        [added.digest for added in changes.added],
        today(call.time),
        call.id,
        call.time,
        call.correlation_id,
        call.traceparent,
    )


async def _delete(
    connection: Connection, call: Call, deletion: MemoryDeletion, position: int
) -> None:
    version = await connection.fetchval(
        SQL["delete_memory"],
        call.project_id,
        deletion.memory_id,
        deletion.version,
        call.id,
        position,
        deletion.ordinal,
        call.time,
        call.correlation_id,
        call.traceparent,
    )
    _require(version)


async def _update(
    connection: Connection, call: Call, revision: MemoryUpdate, position: int
) -> None:
    version = await connection.fetchval(
        SQL["update_memory"],
        call.project_id,
        revision.memory_id,
        revision.version,
        call.id,
        revision.text,
        revision.digest,
        to_halfvec(revision.embedding),
        dict(revision.metadata),
        list(revision.categories),
        from_entities(revision.entities),
        from_relations(revision.relations),
        from_evidence(revision.evidence),
        revision.event_time,
        revision.expiration_date,
        call.time,
        revision.role,
        revision.name,
        position,
        revision.ordinal,
        call.correlation_id,
        call.traceparent,
    )
    _require(version)


def _require(version: int | None) -> None:
    if version is None:
        raise ConcurrentChange
