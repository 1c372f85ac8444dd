"""Memories with a past."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

from server.memories.memory import Evidence
from server.memories.ports import ChangeSet, EmbeddedMemory, MemoryDeletion, MemoryStore
from server.memories.scope import Scope
from tests.support.builders import ALICE, LISBON, NOW, addition, call, revision

HOUR = timedelta(hours=1)


async def with_a_life(store: MemoryStore, scope: Scope = ALICE) -> EmbeddedMemory:
    """A memory that was added, updated an hour later, and deleted after another hour."""
    of = call(request_id=uuid4(), scope=scope)
    item = addition(
        of,
        "in Berlin",
        metadata={"a": [1, None]},
        categories=["travel"],
        relations=[LISBON],
        evidence=[Evidence(uuid4(), "Berlin")],
    )
    await store.commit(ChangeSet(of, added=[item]))
    later = call(time=NOW + HOUR, correlation_id="correlation-2", scope=scope)
    await store.commit(ChangeSet(later, updated=[revision(item, "in Lisbon")]))
    last = call(time=NOW + 2 * HOUR, correlation_id="correlation-3", scope=scope)
    await store.commit(ChangeSet(last, deleted=[MemoryDeletion(0, item.memory.id, 2)]))
    return item
