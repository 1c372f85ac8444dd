"""Servers and their leases, looked at and changed directly in the database."""

from __future__ import annotations

import asyncpg

from tests.support.processes import eventually

# Each server holds such a lock for as long as it is present.
_PRESENT = """
SELECT count(*) FROM pg_locks JOIN pg_database ON pg_database.oid = pg_locks.database
WHERE locktype = 'advisory' AND mode = 'ShareLock' AND granted AND datname = current_database()
"""
_PROLONG = """
UPDATE operations SET available_at = available_at + interval '1 hour'
WHERE lease IS NOT NULL AND available_at > clock_timestamp();
UPDATE scope_leases SET expires_at = expires_at + interval '1 hour'
WHERE expires_at > clock_timestamp();
"""


async def until_present(dsn: str, servers: int) -> None:
    """Waits until so many servers would be missed if they died."""
    connection = await asyncpg.connect(dsn)
    try:

        async def are_present() -> bool:
            return int(await connection.fetchval(_PRESENT)) >= servers

        await eventually(are_present, seconds=30, what="the presence of the servers")
    finally:
        await connection.close()


async def prolong_leases(dsn: str) -> None:
    """Prolongs the unexpired leases by an hour, longer than any test runs."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_PROLONG)
    finally:
        await connection.close()
