"""Composes the use cases of memories, and the asynchronous calls that add memories."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.api.grpc.convert.requests import accepted_command
from server.api.grpc.services.memory import MemoryUseCases
from server.api.grpc.services.memory_changes import ChangeUseCases
from server.api.grpc.status import to_status
from server.core.background import running
from server.core.clock import Clock
from server.core.request_context import TenantTurn
from server.memories.add.add_memories import Add, AddMemories, AddMemoriesOutcome
from server.memories.add.inferred import AddInferred
from server.memories.add.verbatim import AddVerbatim
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
from server.operations.leases import FreeLeases, ScopeTurns
from server.operations.manage_operations import ManageOperations, SubmitAdd
from server.operations.ports import Channel, ClaimedOperation, Leases, Operations
from server.operations.workers import OperationLimits, OperationWorkers
from server.runtime.composition.models import Models
from server.runtime.settings import Settings
from server.storage.postgres.servers import PostgresNotifications
from server.telemetry.statistics import Statistics
from server.telemetry.tally import tallied


@dataclass(frozen=True, slots=True)
class AsynchronousCalls:
    """The use cases of asynchronous calls, and the workers that perform them.

    `free_leases` ends the leases of servers that died, of synchronous calls too.
    """

    submit: SubmitAdd
    manage: ManageOperations
    workers: OperationWorkers
    notifications: PostgresNotifications
    free_leases: FreeLeases


def compose_operations(
    operations: Operations,
    leases: Leases,
    store: MemoryStore,
    add: Add,
    notifications: PostgresNotifications,
    limits: OperationLimits,
    statistics: Statistics,
    take_turn: TenantTurn,
) -> AsynchronousCalls:
    """Composes them with the same `add` and the same turns that serve synchronous calls."""

    def notify() -> None:
        notifications.notify(Channel.OPERATIONS)

    async def perform(claimed: ClaimedOperation) -> AddMemoriesOutcome:
        with tallied() as tally:
            command = accepted_command(
                claimed.payload, claimed.project_id, claimed.create_time, claimed.lease
            )
            try:
                return await add(command)
            finally:
                statistics.record(claimed.project_id, tally)

    workers = OperationWorkers(
        operations, perform, _encoded_status, notify, limits, take_turn=take_turn
    )
    return AsynchronousCalls(
        submit=SubmitAdd(operations, store, Clock(), notify),
        manage=ManageOperations(operations, store, notifications),
        workers=workers,
        notifications=notifications,
        free_leases=FreeLeases(leases, notify),
    )


@asynccontextmanager
async def working(calls: AsynchronousCalls) -> AsyncIterator[None]:
    """Performs asynchronous calls during the block."""
    async with running("notifications", calls.notifications.run()):
        with calls.notifications.subscribe(Channel.OPERATIONS, calls.workers.wake):
            async with (
                running("operations", calls.workers.run()),
                running("pruning", calls.workers.prune_forever()),
                running("freeing", calls.free_leases.run()),
            ):
                yield


def _encoded_status(error: Exception, correlation_id: str) -> bytes:
    encoded: bytes = to_status(error, correlation_id).SerializeToString()
    return encoded


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
    inferred = AddInferred(
        store,
        models.embedder,
        models.language_model,
        parts.clock,
        parts.turns,
        parts.settings.inference.max_deletions,
    )
    verbatim = AddVerbatim(store, models.embedder, parts.clock)
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
        changes=_compose_changes(parts, watch),
    )


def _compose_changes(parts: MemoryParts, watch: WatchMemoryEvents) -> ChangeUseCases:
    store, embedder = parts.store, parts.models.embedder
    clock, turns = parts.clock, parts.turns
    update = UpdateMemory(store, embedder, clock)
    delete = DeleteMemory(store, clock)
    return ChangeUseCases(
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
