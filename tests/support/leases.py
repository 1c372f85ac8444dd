"""The leases of servers that are dead, as a test sees them from outside."""

from __future__ import annotations

import asyncpg

_END = """
UPDATE operations SET available_at = clock_timestamp() WHERE lease IS NOT NULL;
UPDATE scope_leases SET expires_at = clock_timestamp();
"""


async def end_leases(dsn: str) -> None:
    """Lets the time pass that the leases on operations and scopes last."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_END)
    finally:
        await connection.close()
