"""Writes a call with all its effects in one transaction."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import asyncpg

from server import failpoints
from server.core.errors import ConcurrentChange, RequestIdReused
from server.memories.changes import Call, ChangeSet, Deletion, Update
from server.memories.memory import today
from server.memories.queries import Committed
from server.storage.postgres.connections import transaction
from server.storage.postgres.record_calls import committed_in, record_statement
from server.storage.postgres.rows import (
    from_entities,
    from_evidence,
    from_relations,
    to_halfvec,
)
from server.storage.postgres.shared_statements import SharedStatements
from server.storage.postgres.statements import load_sql
from server.telemetry.recording import record_changes, stage

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
    """Stores change sets; those that only add may share a statement with others.

    `on_commit` is called after every commit, before its call is answered.
    """

    def __init__(
        self, database: Database, on_commit: Callable[[ChangeSet, Committed], None]
    ) -> None:
        self._database = database
        self._on_commit = on_commit
        self._small = SharedStatements("commit-group", self._record)

    async def commit(self, changes: ChangeSet) -> Committed:
        """Stores the change set; see `MemoryStore.commit`.

        Without updates and deletions, which is the usual case, this is a single statement, and so a
        single round trip.
        """
        failpoints.reach("add.before_commit")
        only_adds = not (changes.updated or changes.deleted or changes.forget_requests)
        try:
            with stage("commit"), translate_conflicts(changes.call):
                committed = await self._add(changes) if only_adds else None
                if committed is None:
                    async with self._database.connection() as connection, transaction(connection):
                        committed = await _commit_all(connection, changes)
        except asyncpg.UniqueViolationError as error:
            # This is not the index of request ids: an update would make two memories equal.
            raise ConcurrentChange from error
        record_changes(
            added=len(committed.added), updated=len(changes.updated), deleted=len(changes.deleted)
        )
        failpoints.reach("add.after_commit_before_answer")
        self._on_commit(changes, committed)
        return committed

    def _add(self, changes: ChangeSet) -> Awaitable[Committed | None]:
        """Writes a call whose changes are all additions; returns None if it was not written."""
        if is_small(changes):
            return self._small.answer(changes.call.project_id, changes)
        return self._small.answer_alone(changes)

    async def _record(self, all_changes: Sequence[ChangeSet]) -> list[Committed | None]:
        """Writes calls of one project with their new memories, in one transaction."""
        bound = await record_statement(all_changes)
        # Not `Database.fetch`, because every add awaits each further coroutine.
        async with self._database.connection() as connection:
            return committed_in(await connection.fetch(*bound), len(all_changes))


_FEW_ITEMS: Final = 10
_FEW_CHARACTERS: Final = 10_000


def is_small(changes: ChangeSet) -> bool:
    """Whether the call is so small that others hardly wait for it."""
    characters = sum(len(message.content) for message in changes.messages)
    return (
        len(changes.messages) + len(changes.added) <= _FEW_ITEMS and characters <= _FEW_CHARACTERS
    )


async def _commit_all(connection: Connection, changes: ChangeSet) -> Committed:
    bound = await record_statement([changes])
    [committed] = committed_in(await connection.fetch(*bound), 1)
    if committed is None:
        digests = [addition.digest for addition in changes.added]
        await purge_expired(connection, changes.call, digests)
        [committed] = committed_in(await connection.fetch(*bound), 1)
    if committed is None:
        raise ConcurrentChange
    # Every call uses the same order, so that two calls cannot deadlock on each other's rows.
    # Deletions come first, because an update may repeat the text of a deleted memory.
    ordered = sorted(enumerate(changes.changes), key=lambda place: place[1].memory_id)
    for kind in (Deletion, Update):
        for ordinal, change in ordered:
            if isinstance(change, kind):
                await _change(connection, changes, change, ordinal, committed.position)
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


async def _change(
    connection: Connection,
    changes: ChangeSet,
    change: Update | Deletion,
    ordinal: int,
    position: int,
) -> None:
    """Updates or deletes a memory.

    Raises:
        ConcurrentChange: it has changed since it was read.
    """
    call = changes.call
    values: dict[str, object] = {
        "project_id": call.project_id,
        "memory_id": change.memory_id,
        "version": change.version,
        "call_id": call.id,
        "position": position,
        "ordinal": ordinal,
        "call_time": call.time,
        "correlation_id": call.correlation_id,
        "traceparent": call.traceparent,
    }
    if isinstance(change, Update):
        statement = SQL["update_memory"](**values, **_content(changes, change))
    else:
        statement = SQL["delete_memory"](**values)
    if await connection.fetchval(*statement) is None:
        raise ConcurrentChange


def _content(changes: ChangeSet, update: Update) -> dict[str, object]:
    return {
        "text": update.text,
        "digest": update.digest,
        "embedding": to_halfvec(update.embedding),
        "metadata": dict(changes.metadata),
        "categories": list(update.categories),
        "entities": from_entities(update.entities),
        "relations": from_relations(update.relations),
        "evidence": from_evidence(update.evidence),
        "event_time": changes.event_time or changes.call.time,
        "expiration_date": changes.expiration_date,
        "role": update.role,
        "name": update.name,
    }
