"""Leases on scopes, as rows of PostgreSQL."""

from __future__ import annotations

from datetime import timedelta

from server.adapters.postgres.pool import Database
from server.adapters.statements import load_statements
from server.ports.scope_leases import ScopeLease

SQL = load_statements("server.adapters.postgres.sql", "leases.sql")


class PostgresScopeLeases:
    """Implements `server.ports.scope_leases.ScopeLeases`."""

    def __init__(self, database: Database, server_id: int | None = None) -> None:
        """`server_id` is under what this server is present, if it is."""
        self._database = database
        self._server_id = server_id

    async def acquire(self, lease: ScopeLease, duration: timedelta) -> bool:
        """See the port."""
        return await self._is_held("acquire", lease, duration, self._server_id)

    async def renew(self, lease: ScopeLease, duration: timedelta) -> bool:
        """See the port."""
        return await self._is_held("renew", lease, duration)

    async def release(self, lease: ScopeLease) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(SQL["release"], *_values(lease))

    async def _is_held(self, statement: str, lease: ScopeLease, *values: object) -> bool:
        async with self._database.connection() as connection:
            holder = await connection.fetchval(SQL[statement], *_values(lease), *values)
        return holder is not None


def _values(lease: ScopeLease) -> tuple[object, ...]:
    return lease.project_id, lease.scope_key, lease.holder
