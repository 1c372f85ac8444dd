"""The leases of servers that are dead, as a test sees them from outside."""

from __future__ import annotations

import asyncpg

_PROLONG = """
UPDATE operations SET available_at = available_at + interval '1 hour'
WHERE lease IS NOT NULL AND available_at > clock_timestamp();
UPDATE scope_leases SET expires_at = expires_at + interval '1 hour'
WHERE expires_at > clock_timestamp();
"""


async def prolong_leases(dsn: str) -> None:
    """Makes the leases that have not ended last for an hour more than any test does."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_PROLONG)
    finally:
        await connection.close()
