"""The events of a project in one order, on PostgreSQL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from uuid import UUID

from server.memories.history.ports import StreamedEvent, StreamPage
from server.memories.memory import StreamCursor
from server.memories.scope import Scope
from server.storage.postgres.filters import scope_condition
from server.storage.postgres.memory_history import state_of, to_event
from server.storage.postgres.pool import Database
from server.storage.postgres.statements import load_sql

if TYPE_CHECKING:
    from server.storage.postgres.rows import Row

MOST_LOOKED_AT: Final = 1000
"""Events of a project that one page looks at, so that a quiet scope of a busy project costs
no more."""

SQL = load_sql("event_stream.sql", "memory_columns.sql")


class PostgresEventStream:
    """Implements `server.memories.history.ports.EventStream`. A page costs two round trips."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def now(self) -> StreamCursor:
        async with self._database.connection() as connection:
            return StreamCursor(int(await connection.fetchval(*SQL["horizon"]())))

    async def read(
        self, project_id: str, scope: Scope, after: StreamCursor, limit: int
    ) -> StreamPage:
        condition = scope_condition(scope)
        page = SQL["page"].fill(scope=condition.text)(
            project_id=project_id,
            limit=limit,
            look_at=MOST_LOOKED_AT,
            **_position(after),
            **condition.values,
        )
        async with self._database.connection() as connection:
            rows = await connection.fetch(*page)
            steps = [row for row in rows if row["version"] is not None]
            places = [_place(row) for row in steps if row["matches"]]
            known = (
                await connection.fetch(
                    *SQL["events"](
                        project_id=project_id,
                        memory_ids=[place.memory_id for place in places],
                        versions=[place.version for place in places],
                    )
                )
                if places
                else []
            )
        is_last = len(steps) < limit and not any(row["is_last_looked_at"] for row in steps)
        horizon = StreamCursor(int(rows[0]["horizon"]))
        return StreamPage(
            events=_events(places, known),
            # No more events can appear below the horizon, so the next page may begin there.
            cursor=max(after, horizon) if is_last else _place(steps[-1]),
            is_last=is_last,
            is_held_back=rows[0]["has_more"],
        )


def _position(after: StreamCursor) -> dict[str, object]:
    return {
        "after_transaction": str(after.transaction_id),
        "after_position": after.position,
        "after_ordinal": after.ordinal,
        "after_memory": after.memory_id,
        "after_version": after.version,
    }


def _place(row: Row) -> StreamCursor:
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
