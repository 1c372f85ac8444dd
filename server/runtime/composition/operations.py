"""Composes the acceptance, management and execution of asynchronous calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeAlias

from server.api.grpc.convert.requests import accepted_command
from server.api.grpc.status import to_status
from server.core.background import running
from server.core.clock import Clock
from server.core.request_context import TenantTurn
from server.memories.add.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.memories.ports import MemoryStore
from server.operations.leases import FreeLeases
from server.operations.manage_operations import ManageOperations, SubmitAdd
from server.operations.ports import Channel, ClaimedOperation, Leases, Operations
from server.operations.workers import OperationLimits, OperationWorkers
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.pool import PostgresOptions, open_database
from server.storage.postgres.servers import PostgresNotifications
from server.telemetry.figures import tallied
from server.telemetry.statistics import Statistics

Add: TypeAlias = Callable[[AddMemoriesCommand], Awaitable[AddMemoriesOutcome]]


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
    operations: PostgresOperations,
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
async def open_operations(dsn: str, settings: PostgresOptions) -> AsyncIterator[Operations]:
    """Opens the operations of a database."""
    async with open_database(dsn, settings) as database:
        yield PostgresOperations(database)


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
