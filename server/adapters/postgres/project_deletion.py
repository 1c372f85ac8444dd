"""Deleting whole projects on PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from server.adapters.postgres.changing import changing_statements
from server.adapters.postgres.pool import Database

if TYPE_CHECKING:
    from server.adapters.postgres.pool import Connection

SQL = changing_statements("project_deletion.sql")
_MEMORIES = "memories"


class PostgresProjectDeletion:
    """Implements `server.ports.retention.ProjectDeletion`.

    The tables are those that PostgreSQL knows to have a `project_id`, so that a new one is never
    forgotten here.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, project_id: str, now: datetime) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            closed = await connection.fetchval(SQL["close"], project_id, now)
        return closed is not None or await self.count(project_id) > 0

    async def count(self, project_id: str) -> int:
        """See the port."""
        total = 0
        async with self._database.connection() as connection:
            for table in (await _tables(connection)).values():
                statement = SQL["count"].replace("{table}", table)
                total += await connection.fetchval(statement, project_id)
        return total

    async def delete_batch(self, project_id: str, limit: int) -> Mapping[str, int]:
        """See the port."""
        async with self._database.connection() as connection:
            for name, table in (await _tables(connection)).items():
                if name == _MEMORIES:
                    statement = SQL["delete_memories"]
                else:
                    statement = SQL["delete_rows"].replace("{table}", table)
                if count := await connection.fetchval(statement, project_id, limit):
                    return {name: count}
        return {}

    async def finish(self, project_id: str) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(SQL["forget"], project_id)


async def _tables(connection: Connection) -> Mapping[str, str]:
    """Names of tables, and how they are written in a statement."""
    return {row["name"]: row["quoted"] for row in await connection.fetch(SQL["tables"])}
