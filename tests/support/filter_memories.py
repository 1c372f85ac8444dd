"""Storing memories to be filtered."""

from __future__ import annotations

from dataclasses import replace

from server.memories.memory import Memory
from server.memories.ports import ChangeSet, EmbeddedMemory, MemoryStore
from tests.support.builders import call, vector


async def keep(store: MemoryStore, memory: Memory) -> None:
    """Stores the memory by its own call, with a unique digest."""
    of = call(project_id=memory.project_id, scope=memory.scope, time=memory.create_time)
    of = replace(of, id=memory.provenance.call_id)
    added = EmbeddedMemory(0, memory, memory.id.bytes, vector(1, 0, 0))
    await store.commit(ChangeSet(of, [], [added]))
