"""Writing one call with all its effects in one transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from server.core.background import by_size
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
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection, Database


REQUEST_ID_INDEX = "calls_request_id"


def call_values(call: Call) -> dict[str, object]:
    """The parameters of the block `call_values` in changing.sql."""
    scope = call.scope
    return {
        "project_id": call.project_id,
        "call_id": call.id,
        "method": call.method,
        "user_id": scope.user_id,
        "agent_id": scope.agent_id,
        "app_id": scope.app_id,
        "run_id": scope.run_id,
        "scope_key": scope.key(),
        "request_id": call.request_id,
        "item": call.item,
        "payload_digest": call.payload_digest,
        "correlation_id": call.correlation_id,
        "embedding_model": call.embedding_model,
        "language_model": call.language_model,
        "prompt_version": call.prompt_version,
        "call_time": call.time,
        "traceparent": call.traceparent,
        "key_id": call.origin.key_id,
        "peer": call.origin.peer,
    }


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
RECORD_CALL = SQL["record_call"].fill(passage_ctes="")
RECORD_CALL_WITH_PASSAGES = SQL["record_call"].fill(passage_ctes=SQL.blocks["passages"])


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
        digests = [added.digest for added in changes.added]
        await purge_expired(connection, changes.call, digests)
        committed = await _record(connection, changes)
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


async def _record(connection: Connection, changes: ChangeSet) -> Committed | None:
    """Writes the call and its new memories.

    Returns None if expired memories hold the same texts, or if the lease of the scope or of the
    operation has been taken over.
    """
    passages = changes.passages
    memory_values = await by_size(len(changes.added), _memory_values, changes)
    passage_values = (
        await by_size(len(passages.passages), _passage_values, passages) if passages else {}
    )
    statement = RECORD_CALL_WITH_PASSAGES if passages else RECORD_CALL
    rows = await connection.fetch(
        *statement(
            **call_values(changes.call),
            **memory_values,
            **_message_values(changes),
            **passage_values,
            input_tokens=changes.call.input_tokens,
            output_tokens=changes.call.output_tokens,
            lease=changes.lease,
            operation_lease=changes.call.operation_lease,
            notices=from_notices(changes.call.notices),
        )
    )
    if not rows:
        return None
    added = frozenset(row["memory_id"] for row in rows if row["memory_id"] is not None)
    return Committed(added=added, position=rows[0]["position"])


def _memory_values(changes: ChangeSet) -> dict[str, object]:
    """The values that all memories of a call share, and one array for each other column."""
    memories = [added.memory for added in changes.added]
    shared = memories[0] if memories else None
    return {
        "event_time": _event_time(changes),
        "inferred": shared.inferred if shared else False,
        "immutable": shared.immutable if shared else False,
        "metadata": dict(shared.metadata) if shared else {},
        "expiration_date": shared.expiration_date if shared else None,
        "memory_ids": [memory.id for memory in memories],
        "texts": [memory.text for memory in memories],
        "digests": [added.digest for added in changes.added],
        "embeddings": [to_halfvec(added.embedding) for added in changes.added],
        "roles": [memory.role for memory in memories],
        "names": [memory.name for memory in memories],
        "details": [_details(memory) for memory in memories],
        "ordinals": [added.ordinal for added in changes.added],
        "today": today(changes.call.time),
    }


def _passage_values(new: NewPassages) -> dict[str, object]:
    """One array for each column, and the values that all passages share."""
    passages = new.passages
    return {
        "passage_ids": [passage.passage_id for passage in passages],
        "passage_message_ids": [passage.message_id for passage in passages],
        "passage_roles": [passage.role for passage in passages],
        "passage_names": [passage.name for passage in passages],
        "passage_digests": [passage.digest for passage in passages],
        # In an object each, because arrays of arrays cannot be ragged.
        "passage_sentences": [{"sentences": list(passage.sentences)} for passage in passages],
        "passage_embeddings": [to_halfvec(passage.embedding) for passage in passages],
        "passage_metadata": dict(new.metadata),
        "passage_expiration_date": new.expiration_date,
    }


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


def _message_values(changes: ChangeSet) -> dict[str, object]:
    return {
        "message_ordinals": [message.ordinal for message in changes.messages],
        "message_ids": [message.id for message in changes.messages],
        "message_roles": [message.role for message in changes.messages],
        "message_names": [message.name for message in changes.messages],
        "message_contents": [message.content for message in changes.messages],
    }


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
