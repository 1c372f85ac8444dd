"""The presence of servers, and leases on scopes.

https://www.postgresql.org/docs/current/explicit-locking.html#ADVISORY-LOCKS
"""

from __future__ import annotations

import secrets
from collections.abc import Set as AbstractSet
from datetime import timedelta

import asyncpg

from server.operations.ports import ScopeLease
from server.storage.postgres.pool import Database
from server.storage.postgres.statements import load_sql

PRESENCE_SQL = load_sql("presence.sql")
LEASES_SQL = load_sql("leases.sql")


def new_server_id() -> int:
    """Returns a number that is unique among servers and advisory locks of the database."""
    return secrets.randbits(63)


async def enter(connection: asyncpg.Connection[asyncpg.Record], server_id: int) -> None:
    """Marks the server as present for as long as the connection lasts."""
    await connection.execute(*PRESENCE_SQL["enter"](server_id=server_id))


class PostgresLeases:
    """Implements `server.operations.ports.Leases`."""

    def __init__(self, database: Database, server_id: int | None = None) -> None:
        """`server_id` marks the presence of this server, if it has one."""
        self._database = database
        self._server_id = server_id

    async def acquire(self, lease: ScopeLease, duration: timedelta) -> bool:
        return await self._is_held("acquire", lease, duration=duration, server_id=self._server_id)

    async def renew(self, lease: ScopeLease, duration: timedelta) -> bool:
        return await self._is_held("renew", lease, duration=duration)

    async def release(self, lease: ScopeLease) -> None:
        await self._database.execute(LEASES_SQL["release"](**_key(lease)))

    async def missing(self) -> AbstractSet[int]:
        rows = await self._database.fetch(PRESENCE_SQL["missing"]())
        return {row["server_id"] for row in rows}

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        ended = await self._database.fetchval(PRESENCE_SQL["end_leases"](server_ids=list(servers)))
        return int(ended)

    async def _is_held(self, statement: str, lease: ScopeLease, **values: object) -> bool:
        bound = LEASES_SQL[statement](**_key(lease), **values)
        lease_id = await self._database.fetchval(bound)
        return lease_id is not None


def _key(lease: ScopeLease) -> dict[str, object]:
    return {
        "project_id": lease.project_id,
        "scope_key": lease.scope_key,
        "lease": lease.lease_id,
    }
