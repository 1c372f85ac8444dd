"""Adds with `infer=false`: every message becomes a memory, word for word."""

from __future__ import annotations

from collections.abc import Sequence

from server.core.background import by_size
from server.core.clock import Clock, new_id
from server.core.values import Vector
from server.memories.add.add_memories import (
    AddMemoriesCommand,
    AddMemoriesOutcome,
    require_receivable_verbatim,
)
from server.memories.add.change_sets import AddContext, ModelUsage, outcome, provenance, start_add
from server.memories.conversation import Role, StoredMessage, spoken
from server.memories.memory import Evidence, Memory, embedded_text, verbatim_digest
from server.memories.ports import ChangeSet, EmbeddedMemory, MemoryStore
from server.models.ports import Embedder, EmbeddingPurpose
from server.telemetry.recording import stage


class RememberVerbatim:
    """Costs one embedding batch and one database round trip."""

    def __init__(self, store: MemoryStore, embedder: Embedder, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        """Stores the messages. System messages are stored too, but no memories are made from them.

        Raises:
            AnswerTooLarge, ModelUnavailable, ModelQuotaExhausted, StoreUnavailable,
            RequestIdReused, ConcurrentChange: nothing was stored.
        """
        require_receivable_verbatim(command)
        add = start_add(
            command, spoken(command.messages), self._clock.now(), ModelUsage(self._embedder.model)
        )
        kept = [message for message in add.messages if message.role is not Role.SYSTEM]
        with stage("embed"):
            vectors = await self._embedder.embed(
                [embedded_text(message.content, message.name) for message in kept],
                EmbeddingPurpose.DOCUMENT,
            )
        changes = await by_size(len(kept), _changes, add, kept, vectors)
        committed = await self._store.commit(changes)
        return await by_size(len(kept), outcome, changes, committed)


def _changes(
    add: AddContext, kept: Sequence[StoredMessage], vectors: Sequence[Vector]
) -> ChangeSet:
    added = [
        _memory(add, ordinal, message, vector)
        for ordinal, (message, vector) in enumerate(zip(kept, vectors, strict=True))
    ]
    return ChangeSet(call=add.call, messages=add.messages, added=added)


def _memory(
    add: AddContext, ordinal: int, message: StoredMessage, vector: Vector
) -> EmbeddedMemory:
    command, now = add.command, add.call.time
    memory = Memory(
        id=new_id(now, ordinal),
        project_id=command.project_id,
        scope=command.scope,
        text=message.content,
        metadata=command.metadata,
        categories=(),
        immutable=command.immutable,
        create_time=now,
        update_time=now,
        event_time=add.event_time,
        expiration_date=command.expiration_date,
        inferred=False,
        role=message.role,
        name=message.name,
        version=1,
        provenance=provenance(add.call, [Evidence(message.id, quote="")]),
    )
    digest = verbatim_digest(message.role, message.name, message.content)
    return EmbeddedMemory(ordinal, memory, digest, vector)
