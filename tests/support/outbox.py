"""The graph's outbox, read and changed directly in the database."""

from __future__ import annotations

import asyncpg

from tests.support.processes import eventually

_PENDING = "SELECT count(*) FROM graph_outbox WHERE given_up_position IS DISTINCT FROM position"
_END_WAITS = "UPDATE graph_outbox SET available_at = now()"


async def outbox_empties(dsn: str, seconds: float) -> None:
    """Returns once the outbox is empty.

    Raises:
        AssertionError: it is not within `seconds`.
    """

    async def is_empty() -> bool:
        return await pending(dsn) == 0

    await eventually(is_empty, seconds, "an empty outbox")


async def pending(dsn: str) -> int:
    """Returns the number of memories in the outbox that were not given up."""
    connection = await asyncpg.connect(dsn)
    try:
        count: int = await connection.fetchval(_PENDING)
    finally:
        await connection.close()
    return count


async def end_waits(dsn: str) -> None:
    """Ends the leases of dead projectors and the pauses after failures."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(_END_WAITS)
    finally:
        await connection.close()
