"""Reading an earlier call back with what it changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.adapters.postgres.rows import to_memory, to_notices, to_relations
from server.adapters.statements import load_statements
from server.domain.memory import EventType
from server.ports.memory_store import StoredCall, StoredChange

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection
    from server.adapters.postgres.rows import Row

SQL = load_statements("server.adapters.postgres.sql", "read.sql")


async def read_call(connection: Connection, project_id: str, call: Row | None) -> StoredCall | None:
    """The call in a row of `find_call` or `find_item`; None without a row."""
    if call is None:
        return None
    rows = await connection.fetch(SQL["call_changes"], project_id, call["call_id"])
    return StoredCall(
        id=call["call_id"],
        payload_digest=call["payload_digest"],
        position=call["position"],
        embedding_model=call["embedding_model"],
        language_model=call["language_model"],
        changes=[
            StoredChange(
                EventType(row["type"]),
                to_memory(row),
                row["previous_text"],
                to_relations(row["previous_relations"] or ()),
            )
            for row in rows
        ],
        notices=to_notices(call["notices"]),
    )
