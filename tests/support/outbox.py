"""The graph's outbox as a test sees it from outside."""

from __future__ import annotations

import asyncpg

from tests.support.processes import eventually

_PENDING = "SELECT count(*) FROM graph_outbox WHERE dead_position IS DISTINCT FROM position"
_END_WAITS = "UPDATE graph_outbox SET available_at = now()"


async def outbox_empties(dsn: str, seconds: float) -> None:
    """Returns once the graph lacks nothing.

    Raises:
        AssertionError: it lacks something still after `seconds`.
    """

    async def is_empty() -> bool:
        return await pending(dsn) == 0

    await eventually(is_empty, seconds, "an empty outbox")


async def pending(dsn: str) -> int:
    """How many memories the graph lacks, those not counted that were given up."""
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval(_PENDING)
    finally:
        await connection.close()
    return count


async def end_waits(dsn: str) -> None:
    """Lets the time pass that leases of dead projectors last, and pauses after failures."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_END_WAITS)
    finally:
        await connection.close()
