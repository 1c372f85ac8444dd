"""The presence of servers, by advisory locks of PostgreSQL.

https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import secrets
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING

from server.adapters.postgres.pool import Database
from server.adapters.statements import load_statements

if TYPE_CHECKING:
    import asyncpg

SQL = load_statements("server.adapters.postgres.sql", "presence.sql")


def new_server_id() -> int:
    """A number that no other server has, and no other advisory lock of the database."""
    return secrets.randbits(63)


async def enter(connection: asyncpg.Connection[asyncpg.Record], server_id: int) -> None:
    """Makes the server present for as long as the connection lasts."""
    await connection.execute(SQL["enter"], server_id)


class PostgresPresence:
    """Implements `server.ports.presence.Presence`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def missing(self) -> AbstractSet[int]:
        """See the port."""
        async with self._database.connection() as connection:
            rows = await connection.fetch(SQL["missing"])
        return {row["server_id"] for row in rows}

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        """See the port."""
        async with self._database.connection() as connection:
            return int(await connection.fetchval(SQL["end_leases"], list(servers)))
