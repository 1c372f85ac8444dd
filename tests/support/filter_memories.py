"""Storing memories to be filtered."""

from __future__ import annotations

from dataclasses import replace

from server.memories.memory import Memory
from server.memories.ports import MemoryStore
from tests.support.builders import added, call, change_set, vector


async def keep(store: MemoryStore, memory: Memory) -> None:
    """Stores the memory by its own call, with a unique digest."""
    of = call(project_id=memory.project_id, scope=memory.scope, time=memory.create_time)
    of = replace(of, id=memory.provenance.call_id)
    item = added(memory, vector(1, 0, 0), digest=memory.id.bytes)
    await store.commit(change_set(of, [], [item]))
