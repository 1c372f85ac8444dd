"""Erasing memories with all that history keeps of them, inside of a transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg

from server.adapters.postgres.changing import call_values, changing_statements
from server.domain.erasing import MIN_REPEATED_LENGTH, SENTENCE_ENDS, phrase_of, redacted
from server.domain.errors import ConcurrentChange
from server.domain.scope_kinds import DeletionReceipt, StoredDeletion
from server.ports.memory_store import Call

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection
    from server.adapters.postgres.rows import Row

SQL = changing_statements("erase.sql")
_VERSION_INDEXES = frozenset({"memories_pkey", "memory_events_pkey"})


@dataclass(frozen=True, slots=True)
class _Phrases:
    """What the memories say, each with the key of its scope."""

    scope_keys: Sequence[bytes]
    texts: Sequence[str]


@contextmanager
def translate_version_conflicts() -> Iterator[None]:
    """Translates the conflict of two calls that give a memory the same next version.

    Raises:
        ConcurrentChange: another call restored or erased the memory at the same moment.
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
    """Erases the memories and answers the receipt, which the call keeps.

    `erased_before` are counts of what the same call has erased already.

    The caller holds a transaction, and the locks on those of the memories that are present.
    Messages go first: which ones, only the history says.
    """
    project_id, ids = call.project_id, list(memory_ids)
    rows = await connection.fetch(SQL["phrases"], project_id, ids)
    phrases = _Phrases(
        [row["scope_key"] for row in rows], [phrase_of(row["phrase"]) for row in rows]
    )
    counts = Counter(erased_before)
    counts["messages"] += await _delete_messages(connection, project_id, ids, phrases)
    counts.update(await _redact_messages(connection, project_id, ids, phrases))
    counts["passages"] += await connection.fetchval(
        SQL["erase_passages"], project_id, ids, phrases.scope_keys, phrases.texts
    )
    await connection.execute(
        SQL["clear_notices"], project_id, ids, phrases.scope_keys, phrases.texts
    )
    await connection.execute(SQL["drop_payloads"], project_id, phrases.scope_keys, phrases.texts)
    row = await connection.fetchrow(SQL["erase_memories"], *call_values(call), ids, counts)
    return to_deletion(row, call.payload_digest)


async def _delete_messages(
    connection: Connection, project_id: str, memory_ids: Sequence[UUID], phrases: _Phrases
) -> int:
    count: int = await connection.fetchval(
        SQL["delete_messages"],
        project_id,
        memory_ids,
        phrases.scope_keys,
        phrases.texts,
        SENTENCE_ENDS,
    )
    return count


async def _redact_messages(
    connection: Connection, project_id: str, memory_ids: Sequence[UUID], phrases: _Phrases
) -> Mapping[str, int]:
    """Blanks the phrases out of what is left; which messages were redacted, and which retained."""
    rows = await connection.fetch(
        SQL["messages_with_phrases"],
        project_id,
        memory_ids,
        phrases.scope_keys,
        phrases.texts,
        MIN_REPEATED_LENGTH,
    )
    counts: Counter[str] = Counter()
    changed: list[tuple[UUID, int, str]] = []
    for row in rows:
        content, retained = redacted(row["content"], row["phrases"], row["quotes"])
        counts["retained_messages" if retained else "redacted_messages"] += 1
        if content != row["content"]:
            changed.append((row["call_id"], row["ordinal"], content))
    if changed:
        await connection.execute(
            SQL["redact_messages"], project_id, *map(list, zip(*changed, strict=True))
        )
    return counts


def to_deletion(row: Row | None, payload_digest: bytes) -> StoredDeletion:
    """The deletion in a row with its counts and its position."""
    if row is None:
        raise AssertionError("a deletion answers one row")
    return StoredDeletion(DeletionReceipt(**row["counts"]), row["position"], payload_digest)
