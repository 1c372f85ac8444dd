"""Composes the use cases of memories."""

from __future__ import annotations

from dataclasses import dataclass

from server.api.grpc.services.memory import MemoryUseCases
from server.api.grpc.services.memory_changes import MutationUseCases
from server.core.clock import Clock
from server.memories.add.add_memories import AddMemories
from server.memories.add.inferred import RememberInferred
from server.memories.add.verbatim import RememberVerbatim
from server.memories.change.batches import BatchDeleteMemories, BatchUpdateMemories
from server.memories.change.deletion import DeleteMemory, RestoreMemory
from server.memories.change.scopes import DeleteMemories, DeleteScope, ListScopes
from server.memories.change.update_memory import UpdateMemory
from server.memories.history.events import ListMemoryEvents, WatchMemoryEvents
from server.memories.ports import MemoryStore
from server.memories.search.arms import GraphArm, RerankArm
from server.memories.search.read_memories import GetMemory, ListMemories
from server.memories.search.search_memories import SearchMemories
from server.operations.idempotency import SerializedByRequestId
from server.operations.leases import ScopeTurns
from server.operations.manage_operations import SubmitAdd
from server.operations.ports import Operations
from server.runtime.composition.models import Models
from server.runtime.composition.operations import Add
from server.runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class MemoryParts:
    """What the use cases of memories share."""

    settings: Settings
    store: MemoryStore
    models: Models
    clock: Clock
    turns: ScopeTurns


def compose_add(parts: MemoryParts, operations: Operations) -> Add:
    """Composes adding, which synchronous and asynchronous calls share."""
    store, models = parts.store, parts.models
    inferred = RememberInferred(
        store,
        models.embedder,
        models.language_model,
        parts.clock,
        parts.turns,
        parts.settings.inference.max_deletions,
    )
    verbatim = RememberVerbatim(store, models.embedder, parts.clock)
    return SerializedByRequestId(
        AddMemories(store, verbatim, inferred, operations.accepted_digest), parts.turns
    )


def compose_memories(
    parts: MemoryParts,
    add: Add,
    submit: SubmitAdd,
    watch: WatchMemoryEvents,
) -> MemoryUseCases:
    """Composes the use cases of MemoryService."""
    store, models, clock = parts.store, parts.models, parts.clock
    return MemoryUseCases(
        add=add,
        submit=submit,
        search=SearchMemories(
            store,
            models.embedder,
            clock,
            GraphArm(store, clock),
            RerankArm(models.reranker, parts.settings.gemini.rerank_timeout),
        ),
        get=GetMemory(store, clock),
        list=ListMemories(store, clock),
        mutations=_compose_mutations(parts, watch),
    )


def _compose_mutations(parts: MemoryParts, watch: WatchMemoryEvents) -> MutationUseCases:
    store, embedder = parts.store, parts.models.embedder
    clock, turns = parts.clock, parts.turns
    update = UpdateMemory(store, embedder, clock)
    delete = DeleteMemory(store, clock)
    return MutationUseCases(
        update=SerializedByRequestId(update, turns),
        delete=SerializedByRequestId(delete, turns),
        update_batch=SerializedByRequestId(
            BatchUpdateMemories(update, store, embedder, clock), turns
        ),
        delete_batch=SerializedByRequestId(BatchDeleteMemories(delete, store, clock), turns),
        restore=SerializedByRequestId(RestoreMemory(store, embedder, clock), turns),
        delete_memories=DeleteMemories(store, clock),
        delete_scope=DeleteScope(store, clock),
        list_scopes=ListScopes(store, clock),
        events=ListMemoryEvents(store),
        watch=watch,
    )
