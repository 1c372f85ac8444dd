"""Erases single, expired or all memories of a scope with their history."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from server.core.errors import ConcurrentChange
from server.memories.change.effects import MIN_REPEATED_LENGTH, SENTENCE_ENDS, phrase_of, redacted
from server.memories.changes import Call
from server.memories.filters.filter import Filter
from server.memories.scope import DeletionReceipt, ScopeKind, StoredDeletion
from server.storage.postgres.filters import filter_condition, scope_condition
from server.storage.postgres.record_calls import call_values
from server.storage.postgres.statements import BoundStatement, load_sql
from server.telemetry.recording import stage

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row


SQL = load_sql("erasing.sql", "changing.sql", "passages.sql")
_VERSION_INDEXES = frozenset({"memories_pkey", "memory_events_pkey"})


@contextmanager
def translate_version_conflicts() -> Iterator[None]:
    """Translates the conflict of two calls that give a memory the same next version.

    Raises:
        ConcurrentChange: another call restored or erased the memory at the same time.
    """
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name in _VERSION_INDEXES:
            raise ConcurrentChange from error
        raise


async def erase(
    connection: Connection,
    call: Call,
    memory_ids: Sequence[UUID],
    erased_before: Mapping[str, int] = MappingProxyType({}),
) -> StoredDeletion:
    """Erases the memories and returns the receipt, which the call stores.

    `erased_before` counts what the same call has already erased.

    The caller holds a transaction and locks the memories that exist. Messages are deleted first,
    because only the history identifies them.
    """
    project_id, ids = call.project_id, list(memory_ids)
    rows = await connection.fetch(*SQL["phrases"](project_id=project_id, memory_ids=ids))
    phrases: dict[str, object] = {
        "project_id": project_id,
        "scope_keys": [row["scope_key"] for row in rows],
        "phrases": [phrase_of(row["phrase"]) for row in rows],
    }
    counts = Counter(erased_before)
    counts["messages"] += await connection.fetchval(
        *SQL["delete_messages"](**phrases, memory_ids=ids, sentence_ends=SENTENCE_ENDS)
    )
    counts.update(await _redact_messages(connection, project_id, ids, phrases))
    counts["passages"] += await connection.fetchval(
        *SQL["erase_passages"](**phrases, memory_ids=ids)
    )
    await connection.execute(*SQL["clear_notices"](**phrases, memory_ids=ids))
    await connection.execute(*SQL["drop_payloads"](**phrases))
    row = await connection.fetchrow(
        *SQL["erase_memories"](**call_values(call), memory_ids=ids, counts=counts)
    )
    return to_deletion(row, call.payload_digest)


async def _redact_messages(
    connection: Connection,
    project_id: str,
    memory_ids: Sequence[UUID],
    phrases: Mapping[str, object],
) -> Mapping[str, int]:
    """Blanks out the phrases in the remaining messages; counts redacted and retained ones."""
    rows = await connection.fetch(
        *SQL["messages_with_phrases"](
            **phrases, memory_ids=memory_ids, min_length=MIN_REPEATED_LENGTH
        )
    )
    counts: Counter[str] = Counter()
    changed: list[tuple[UUID, int, str]] = []
    for row in rows:
        content, retained = redacted(row["content"], row["phrases"], row["quotes"])
        counts["retained_messages" if retained else "redacted_messages"] += 1
        if content != row["content"]:
            changed.append((row["call_id"], row["ordinal"], content))
    if changed:
        call_ids, ordinals, contents = zip(*changed, strict=True)
        await connection.execute(
            *SQL["redact_messages"](
                project_id=project_id,
                call_ids=call_ids,
                ordinals=ordinals,
                contents=contents,
            )
        )
    return counts


def to_deletion(row: Row | None, payload_digest: bytes) -> StoredDeletion:
    """Returns the deletion in a row with its counts and position."""
    if row is None:
        raise AssertionError("a deletion returns one row")
    return StoredDeletion(DeletionReceipt(**row["counts"]), row["position"], payload_digest)


RETENTION_SQL = load_sql("retention.sql")


async def purge(
    connection: Connection, expired_before: date, limit: int, call_of: Callable[[str], Call]
) -> DeletionReceipt | None:
    """Erases expired memories of one project, at most `limit`.

    Returns None if there are none, or if another server is erasing them.
    """
    if not await connection.fetchval(*RETENTION_SQL["try_alone"]()):
        return None
    passages = await connection.fetchrow(
        *RETENTION_SQL["purge_passages"](expired_before=expired_before, limit=limit)
    )
    if passages is not None and passages["passages"]:
        return DeletionReceipt(**passages)
    project_id, memory_ids = await _lock_expired(connection, expired_before, limit)
    if not memory_ids:
        return None
    return (await erase(connection, call_of(project_id), memory_ids)).receipt


async def _lock_expired(
    connection: Connection, expired_before: date, limit: int
) -> tuple[str, list[UUID]]:
    """Returns a project and some of its memories, existing ones before deleted ones."""
    bounds = {"expired_before": expired_before, "limit": limit}
    rows = await connection.fetch(*RETENTION_SQL["lock_expired"](**bounds))
    rows = rows or await connection.fetch(*RETENTION_SQL["find_deleted"](**bounds))
    project_id = rows[0]["project_id"] if rows else ""
    return project_id, [row["memory_id"] for row in rows if row["project_id"] == project_id]


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
