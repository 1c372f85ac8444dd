"""Adds with `infer=false`: every message becomes a memory, word for word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from server.core.background import in_thread_if_many
from server.core.clock import Clock, new_id
from server.core.values import Vector
from server.memories.add.add_memories import (
    AddMemoriesCommand,
    AddMemoriesOutcome,
    require_fitting_verbatim_response,
)
from server.memories.add.change_sets import outcome, start_add
from server.memories.changes import Addition
from server.memories.conversation import Role, StoredMessage, with_content
from server.memories.memory import Evidence, embedded_text, verbatim_digest
from server.memories.ports import MemoryStore
from server.models.ports import Embedder, EmbeddingPurpose
from server.telemetry.recording import stage


class AddVerbatim:
    """Stores each message as a memory, with one embedding batch and one database round trip."""

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
        require_fitting_verbatim_response(command)
        messages, now = with_content(command.messages), self._clock.now()
        draft = start_add(command, messages, now, self._embedder.model)
        kept = [message for message in draft.messages if message.role is not Role.SYSTEM]
        with stage("embed"):
            vectors = await self._embedder.embed(
                [embedded_text(message.content, message.name) for message in kept],
                EmbeddingPurpose.DOCUMENT,
            )
        added = await in_thread_if_many(len(kept), _additions, now, kept, vectors)
        changes = replace(draft, changes=added)
        committed = await self._store.commit(changes)
        return await in_thread_if_many(len(kept), outcome, changes, committed)


def _additions(
    now: datetime, kept: Sequence[StoredMessage], vectors: Sequence[Vector]
) -> list[Addition]:
    return [
        Addition(
            memory_id=new_id(now, ordinal),
            text=message.content,
            digest=verbatim_digest(message.role, message.name, message.content),
            role=message.role,
            name=message.name,
            evidence=(Evidence(message.id, quote=""),),
            embedding=vector,
        )
        for ordinal, (message, vector) in enumerate(zip(kept, vectors, strict=True))
    ]
