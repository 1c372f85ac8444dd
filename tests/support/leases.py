"""Leases of dead servers, changed directly in the database."""

from __future__ import annotations

import asyncpg

_PROLONG = """
UPDATE operations SET available_at = available_at + interval '1 hour'
WHERE lease IS NOT NULL AND available_at > clock_timestamp();
UPDATE scope_leases SET expires_at = expires_at + interval '1 hour'
WHERE expires_at > clock_timestamp();
"""


async def prolong_leases(dsn: str) -> None:
    """Prolongs the unexpired leases by an hour, longer than any test runs."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_PROLONG)
    finally:
        await connection.close()
