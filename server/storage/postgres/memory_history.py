"""The history of memories on PostgreSQL, and the stream of events of a project."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from server.core.background import in_thread_if_many
from server.memories.memory import EventType, Memory, MemoryEvent, PastVersion, StreamCursor
from server.memories.queries import StreamedEvent, StreamPage
from server.memories.scope import Scope
from server.storage.postgres.filters import scope_condition
from server.storage.postgres.pool import Database
from server.storage.postgres.rows import from_halfvec, to_memory, to_provenance
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row

SQL = load_sql("history.sql", "memory_columns.sql")
STREAM_SQL = load_sql("event_stream.sql", "memory_columns.sql")

MOST_EVENTS_READ: Final = 1000
"""The number of a project's events that a page reads at most, so that a quiet scope of a busy
project costs little."""


class PostgresMemoryHistory:
    """Implements the methods of `server.memories.ports.MemoryStore` on events."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def events(
        self, project_id: str, memory_id: UUID, after_version: int, limit: int
    ) -> list[MemoryEvent]:
        # Begins one event early, because the state before an event is that of the event before.
        rows = await self._database.fetch(
            SQL["events"](
                project_id=project_id,
                memory_id=memory_id,
                after_version=after_version,
                limit=limit + 1,
            )
        )
        events = []
        before = None
        for row in rows:
            after = state_of(row)
            events.append(to_event(memory_id, row, before, after))
            before = after
        return [event for event in events if event.version > after_version][:limit]

    async def version(
        self, project_id: str, memory_id: UUID, version: int | None = None
    ) -> PastVersion | None:
        row = await self._database.fetchrow(
            SQL["version"](project_id=project_id, memory_id=memory_id, version=version)
        )
        if row is None:
            return None
        embedding = row["embedding"]
        return PastVersion(
            memory=state_of(row),
            embedding=None if embedding is None else from_halfvec(embedding),
            last_version=row["last_version"],
        )

    async def stream_end(self) -> StreamCursor:
        return StreamCursor(int(await self._database.fetchval(STREAM_SQL["horizon"]())))

    async def stream(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        condition = scope_condition(scope)
        page = STREAM_SQL["page"].fill(scope=condition.text)(
            project_id=project_id,
            limit=limit,
            read_limit=MOST_EVENTS_READ,
            **_cursor_values(after),
            **condition.values,
        )
        async with self._database.connection() as connection:
            rows = await connection.fetch(*page)
            # The last row that was read marks where to continue, even if it is of another scope.
            read = [row for row in rows if row["version"] is not None]
            places = [_cursor_at(row) for row in read if row["matches"]]
            known = (
                await connection.fetch(
                    *STREAM_SQL["events"](
                        project_id=project_id,
                        memory_ids=[place.memory_id for place in places],
                        versions=[place.version for place in places],
                    )
                )
                if places
                else []
            )
        is_last = len(read) < limit and not any(row["reaches_limit"] for row in read)
        horizon = StreamCursor(int(rows[0]["horizon"]))
        return StreamPage(
            events=await in_thread_if_many(len(known), _events, places, known),
            # No event can be added below the horizon any more, so the next page may begin there.
            cursor=max(after, horizon) if is_last else _cursor_at(read[-1]),
            is_last=is_last,
            is_held_back=rows[0]["is_held_back"],
        )


def state_of(row: Row) -> Memory | None:
    """Returns the state in a row that has `has_state`; None after a deletion."""
    return to_memory(row) if row["has_state"] else None


def to_event(memory_id: UUID, row: Row, before: Memory | None, after: Memory | None) -> MemoryEvent:
    """Returns the event in a row of `events`, between the two states."""
    return MemoryEvent(
        memory_id=memory_id,
        type=EventType(row["type"]),
        version=row["event_version"],
        time=row["change_time"],
        before=before,
        after=after,
        provenance=to_provenance(row),
        erased_scope=Scope(**row["erased_scope"]) if row["erased_scope"] else None,
    )


def _cursor_values(after: StreamCursor) -> dict[str, object]:
    return {
        "after_transaction": str(after.transaction_id),
        "after_position": after.position,
        "after_ordinal": after.ordinal,
        "after_memory": after.memory_id,
        "after_version": after.version,
    }


def _cursor_at(row: Row) -> StreamCursor:
    return StreamCursor(
        int(row["transaction_id"]),
        row["position"],
        row["ordinal"],
        row["memory_id"],
        row["version"],
    )


def _events(places: Sequence[StreamCursor], known: Sequence[Row]) -> list[StreamedEvent]:
    rows: dict[tuple[UUID, int], Row] = {
        (row["event_memory_id"], row["event_version"]): row for row in known
    }
    events = []
    for place in places:
        row = rows.get((place.memory_id, place.version))
        # Its scope may have been erased between the two statements.
        if row is not None:
            before = rows.get((place.memory_id, place.version - 1))
            earlier = state_of(before) if before is not None else None
            event = to_event(place.memory_id, row, earlier, state_of(row))
            events.append(StreamedEvent(event, place))
    return events
