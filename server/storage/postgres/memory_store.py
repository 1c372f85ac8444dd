"""The memory store on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from server.core.background import in_thread_if_many
from server.core.values import Vector
from server.memories.changes import ChangeSet
from server.memories.conversation import Message, Role
from server.memories.memory import EventType, ListOrder, Memory
from server.memories.passages import Hit
from server.memories.queries import (
    AddInputs,
    Committed,
    ListQuery,
    RecallQuery,
    SearchQuery,
    StoredCall,
    StoredChange,
)
from server.memories.scope import Scope
from server.memories.search.question_clues import Recollection
from server.operations.ports import ScopeLease
from server.storage.postgres.adding import AddInputsReader
from server.storage.postgres.commit import Commits
from server.storage.postgres.entities import EntitySplits
from server.storage.postgres.filters import filter_condition, reading, scope_condition
from server.storage.postgres.memory_changes import PostgresMemoryChanges
from server.storage.postgres.memory_history import SQL as HISTORY
from server.storage.postgres.memory_history import PostgresMemoryHistory
from server.storage.postgres.pool import Database
from server.storage.postgres.recall import recall
from server.storage.postgres.rows import to_memory, to_notices, to_relations
from server.storage.postgres.scope_indexes import MOST_BYTES, ScopeIndexes
from server.storage.postgres.search import Searches
from server.storage.postgres.statements import BoundStatement, load_sql

if TYPE_CHECKING:
    from server.storage.postgres.pool import Connection
    from server.storage.postgres.rows import Row


SQL = load_sql("read.sql", "memory_columns.sql")

CANDIDATES_DIVISOR: Final = 8
"""The cache of candidates may take an eighth of the bytes that the scopes' indexes may take."""


async def _stored_call(
    connection: Connection, project_id: str, call: Row | None
) -> StoredCall | None:
    """Returns the call in a row of `find_call` or `get_call`; None without a row."""
    if call is None:
        return None
    rows = await connection.fetch(
        *SQL["call_changes"](project_id=project_id, call_id=call["call_id"])
    )
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


_PAGES = {ListOrder.NEWEST_FIRST: "newest_first", ListOrder.OLDEST_FIRST: "oldest_first"}


def list_statement(query: ListQuery) -> BoundStatement:
    """Returns the statement that lists memories, now or as of a past instant."""
    # A past list starts at the calls of the scope (`origin`), which lead to its memories.
    sql, name, table = (SQL, "list", "m") if query.time is None else (HISTORY, "list_at", "origin")
    scope, filters = scope_condition(query.scope, table), filter_condition(query.filters)
    after = query.after
    values: dict[str, object] = {
        "project_id": query.project_id,
        "visible_on": query.visible_on,
        "after_time": after.create_time if after else None,
        "after_id": after.memory_id if after else None,
        "limit": query.limit,
        **scope.values,
        **filters.values,
    }
    if query.time is not None:
        values["time"] = query.time
    condition = filters.text
    if query.with_entities:
        condition += f" AND {SQL.blocks['has_entities']}"
    page = sql.blocks[_PAGES[query.order]]
    return sql[name].fill(scope=scope.text, filters=condition, page=page)(**values)


class PostgresMemoryStore(PostgresMemoryChanges, PostgresMemoryHistory, EntitySplits):
    """Implements `server.memories.ports.MemoryStore`; the base classes implement parts of it.

    `on_commit` is called after every commit, and `on_graph_change` after those from which the graph
    may have to change, to wake tasks that wait for them. `index_bytes` limits the memory for scopes
    that are held to speed up searches. The server with `server_id` holds the leases that adds take.
    """

    def __init__(
        self,
        database: Database,
        on_commit: Callable[[], None],
        index_bytes: int = MOST_BYTES,
        server_id: int | None = None,
        on_graph_change: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(database, on_commit, on_graph_change)
        self._commits = Commits(database, self._committed)
        self._add_inputs = AddInputsReader(database, server_id, index_bytes // CANDIDATES_DIVISOR)
        self._searches = Searches(database, indexes=ScopeIndexes(database, index_bytes))

    def commit(self, changes: ChangeSet) -> Coroutine[Any, Any, Committed]:
        return self._commits.commit(changes)

    def _committed(self, changes: ChangeSet, committed: Committed) -> None:
        self._add_inputs.keep(changes, committed)
        self._on_commit()
        if changes.affects_graph:
            self._on_graph_change()

    async def find_call(
        self, project_id: str, request_id: UUID, item: int = 0
    ) -> StoredCall | None:
        async with self._database.connection() as connection:
            call = await connection.fetchrow(
                *SQL["find_call"](project_id=project_id, request_id=request_id, item=item)
            )
            return await _stored_call(connection, project_id, call)

    async def get_call(self, project_id: str, call_id: UUID) -> StoredCall | None:
        async with self._database.connection() as connection:
            call = await connection.fetchrow(
                *SQL["get_call"](project_id=project_id, call_id=call_id)
            )
            return await _stored_call(connection, project_id, call)

    def begin_add(
        self,
        lease: ScopeLease,
        duration: timedelta,
        vectors: Sequence[Vector],
        limit: int,
        visible_on: date,
    ) -> Coroutine[Any, Any, AddInputs | None]:
        return self._add_inputs.begin(lease, duration, vectors, limit, visible_on)

    async def recent_messages(self, project_id: str, scope: Scope, limit: int) -> list[Message]:
        rows = await self._database.fetch(
            SQL["recent_messages"](project_id=project_id, scope_key=scope.key(), limit=limit)
        )
        return [Message(Role(row["role"]), row["content"], row["name"]) for row in reversed(rows)]

    def search(self, query: SearchQuery) -> Coroutine[Any, Any, list[Hit]]:
        return self._searches.search(query)

    async def get(
        self,
        project_id: str,
        memory_id: UUID,
        visible_on: date | None,
        time: datetime | None = None,
    ) -> Memory | None:
        values = {"project_id": project_id, "memory_id": memory_id, "visible_on": visible_on}
        row = await self._database.fetchrow(
            SQL["get"](**values) if time is None else HISTORY["state_at"](**values, time=time)
        )
        return to_memory(row) if row else None

    async def list(self, query: ListQuery) -> list[Memory]:
        async with reading(self._database, query.filters) as connection:
            rows = await connection.fetch(*list_statement(query))
        return await in_thread_if_many(len(rows), lambda: [to_memory(row) for row in rows])

    async def visible(
        self, project_id: str, memory_ids: Sequence[UUID], visible_on: date
    ) -> set[UUID]:
        if not memory_ids:
            return set()
        rows = await self._database.fetch(
            SQL["visible"](
                project_id=project_id, memory_ids=list(memory_ids), visible_on=visible_on
            )
        )
        return {row["memory_id"] for row in rows}

    async def recall(self, query: RecallQuery) -> Recollection:
        async with self._database.connection() as connection:
            return await recall(connection, query)
