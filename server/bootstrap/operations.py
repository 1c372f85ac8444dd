"""The part of the composition root that is about asynchronous calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias

from server.adapters.postgres.notifications import PostgresNotifications
from server.adapters.postgres.operations import PostgresOperations
from server.adapters.system.clock import SystemClock
from server.application.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.application.free_leases import FreeLeases
from server.application.operations import ManageOperations, SubmitAdd
from server.application.work_operations import OperationWorkers, WorkerOptions
from server.bootstrap.database import open_database
from server.lifecycle.background import running
from server.ports.memory_store import MemoryStore
from server.ports.notifications import Channel
from server.ports.operations import ClaimedOperation, Operations
from server.ports.presence import Presence
from server.settings import OperationSettings, PostgresSettings
from server.telemetry.statistics import Statistics
from server.telemetry.tally import tallied
from server.transport.convert.requests import claimed_command
from server.transport.status import to_status

Add: TypeAlias = Callable[[AddMemoriesCommand], Awaitable[AddMemoriesOutcome]]


@dataclass(frozen=True, slots=True)
class AsynchronousCalls:
    """Accepting asynchronous calls, asking for them, and the workers that do them.

    `free_leases` lets what a server was at that died go on, asynchronous or not.
    """

    submit: SubmitAdd
    manage: ManageOperations
    workers: OperationWorkers
    notifications: PostgresNotifications
    free_leases: FreeLeases


def compose_operations(
    operations: PostgresOperations,
    presence: Presence,
    store: MemoryStore,
    add: Add,
    notifications: PostgresNotifications,
    settings: OperationSettings,
    statistics: Statistics,
) -> AsynchronousCalls:
    """The same `add` serves the calls of now and of later."""

    def tell() -> None:
        notifications.notify(Channel.OPERATIONS)

    async def perform(claimed: ClaimedOperation) -> AddMemoriesOutcome:
        with tallied() as tally:
            try:
                return await add(claimed_command(claimed))
            finally:
                statistics.record(claimed.project_id, tally)

    workers = OperationWorkers(operations, perform, _encoded_status, tell, _options(settings))
    return AsynchronousCalls(
        submit=SubmitAdd(operations, store, SystemClock(), tell),
        manage=ManageOperations(operations, store, notifications),
        workers=workers,
        notifications=notifications,
        free_leases=FreeLeases(presence, tell),
    )


@asynccontextmanager
async def open_operations(dsn: str, settings: PostgresSettings) -> AsyncIterator[Operations]:
    """The operations of a database."""
    async with open_database(dsn, settings) as database:
        yield PostgresOperations(database)


@asynccontextmanager
async def working(calls: AsynchronousCalls) -> AsyncIterator[None]:
    """Works on the asynchronous calls during the block."""
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


def _options(settings: OperationSettings) -> WorkerOptions:
    return WorkerOptions(
        concurrency=settings.concurrency,
        attempt_time=timedelta(seconds=settings.attempt_seconds),
        max_failures=settings.max_failures,
        retention=timedelta(hours=settings.retention_hours),
        request_id_retention=timedelta(hours=settings.request_id_hours),
    )
