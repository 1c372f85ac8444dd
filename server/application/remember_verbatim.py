"""Adding with `infer=false`: every message becomes a memory as it is."""

from __future__ import annotations

from server.application.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.application.answer_bounds import require_receivable_verbatim
from server.application.change_sets import Models, Occasion, begin, outcome, provenance
from server.domain.conversation import Role, StoredMessage, spoken
from server.domain.identifiers import new_id
from server.domain.indexed_text import embedded_text
from server.domain.memory import Evidence, Memory, verbatim_digest
from server.domain.values import Vector
from server.ports.clock import Clock
from server.ports.embedder import Embedder, EmbeddingPurpose
from server.ports.memory_store import ChangeSet, EmbeddedMemory, MemoryStore
from server.telemetry.recording import stage


class RememberVerbatim:
    """Costs one embedding batch and one database round trip."""

    def __init__(self, store: MemoryStore, embedder: Embedder, clock: Clock) -> None:
        self._store = store
        self._embedder = embedder
        self._clock = clock

    async def __call__(self, command: AddMemoriesCommand) -> AddMemoriesOutcome:
        """Stores the messages. System messages are kept, but no memory is made of them.

        Raises:
            AnswerTooLarge, ModelUnavailable, ModelQuotaExhausted, StoreUnavailable,
            RequestIdReused, ConcurrentChange: nothing was stored.
        """
        require_receivable_verbatim(command)
        occasion = begin(
            command, spoken(command.messages), self._clock.now(), Models(self._embedder.model)
        )
        kept = [message for message in occasion.messages if message.role is not Role.SYSTEM]
        with stage("embed"):
            vectors = await self._embedder.embed(
                [embedded_text(message.content, message.name) for message in kept],
                EmbeddingPurpose.DOCUMENT,
            )
        changes = ChangeSet(
            call=occasion.call,
            messages=occasion.messages,
            added=[
                _memory(occasion, ordinal, message, vector)
                for ordinal, (message, vector) in enumerate(zip(kept, vectors, strict=True))
            ],
        )
        return outcome(changes, await self._store.commit(changes))


def _memory(
    occasion: Occasion, ordinal: int, message: StoredMessage, vector: Vector
) -> EmbeddedMemory:
    command, now = occasion.command, occasion.call.time
    memory = Memory(
        id=new_id(now),
        project_id=command.project_id,
        scope=command.scope,
        text=message.content,
        metadata=command.metadata,
        categories=(),
        immutable=command.immutable,
        create_time=now,
        update_time=now,
        event_time=occasion.event_time,
        expiration_date=command.expiration_date,
        inferred=False,
        role=message.role,
        name=message.name,
        version=1,
        provenance=provenance(occasion.call, [Evidence(message.id, quote="")]),
    )
    digest = verbatim_digest(message.role, message.name, message.content)
    return EmbeddedMemory(ordinal, memory, digest, vector)
