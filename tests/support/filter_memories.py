"""Storing memories to be filtered."""

from __future__ import annotations

from dataclasses import replace

from server.memories.memory import Memory
from server.memories.ports import MemoryStore
from tests.support.builders import added, call, change_set, vector


async def keep(store: MemoryStore, memory: Memory) -> None:
    """Stores the memory by its own call, with a unique digest."""
    new_call = call(project_id=memory.project_id, scope=memory.scope, time=memory.create_time)
    new_call = replace(new_call, id=memory.provenance.call_id)
    item = added(memory, vector(1, 0, 0), digest=memory.id.bytes)
    await store.commit(change_set(new_call, [], [item]))
