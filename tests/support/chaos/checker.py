"""Compares the answers that clients received with the stored data."""

from __future__ import annotations

from uuid import UUID

import asyncpg

from tests.support.chaos.recorder import Outcome, Recorded, Recorder

# The call id of an operation is the operation's id.
_NAMED = """
WITH named AS (
    SELECT c.project_id, c.call_id, coalesce(c.request_id, o.request_id) AS request_id
    FROM calls AS c
    LEFT JOIN operations AS o ON o.project_id = c.project_id AND o.operation_id = c.call_id
)
"""
_CALLS = f"{_NAMED} SELECT request_id FROM named WHERE request_id IS NOT NULL"
_EFFECTS = f"""
{_NAMED}
SELECT request_id, array_agg(e.memory_id) AS memory_ids
FROM named JOIN memory_events AS e USING (project_id, call_id)
WHERE request_id IS NOT NULL GROUP BY request_id
"""
_TEXTS = "SELECT text, count(*) AS copies FROM memories GROUP BY text"


async def check_stored(dsn: str, recorder: Recorder) -> str:
    """Checks that all acknowledged calls are stored, and beside them only calls of unknown outcome.

    Each effect has to be stored completely and once.

    Returns a description of what was checked.

    Raises:
        AssertionError: an acknowledged effect is missing, incomplete or stored twice, or
            something is stored that no call explains.
    """
    connection = await asyncpg.connect(dsn)
    try:
        calls = {row["request_id"] for row in await connection.fetch(_CALLS)}
        effects = {row["request_id"]: row["memory_ids"] for row in await connection.fetch(_EFFECTS)}
        copies = {row["text"]: row["copies"] for row in await connection.fetch(_TEXTS)}
    finally:
        await connection.close()
    acknowledged = {call.request_id for call in recorder.with_outcome(Outcome.ACKNOWLEDGED)}
    unknown = {call.request_id for call in recorder.with_outcome(Outcome.UNKNOWN)}
    assert not acknowledged - calls, f"lost: {acknowledged - calls}"
    assert not calls - acknowledged - unknown, f"refused, yet stored: {calls - acknowledged}"
    for call in recorder.calls:
        _check_effect(call, effects.get(call.request_id, []))
    for call in recorder.calls:
        if not call.request.infer:
            _check_whole(call, copies, stored=call.request_id in calls)
    assert max(copies.values(), default=1) == 1, "a memory is stored twice"
    return (
        f"{len(acknowledged)} acknowledged calls are stored, {len(calls & unknown)} of "
        f"{len(unknown)} unknown ones are, whole; nothing else is; "
        f"{len(copies)} memories, each once"
    )


def _check_effect(call: Recorded, stored: list[UUID]) -> None:
    assert len(stored) == len(set(stored)), f"{call.request_id} took effect twice"
    if call.outcome is Outcome.ACKNOWLEDGED:
        assert set(stored) == call.memory_ids, f"{call.request_id} was answered otherwise"


def _check_whole(call: Recorded, copies: dict[str, int], *, stored: bool) -> None:
    found = [message.content in copies for message in call.request.messages]
    assert all(found) if stored else not any(found), f"{call.request_id} is there by half"
