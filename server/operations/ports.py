"""Keeping asynchronous calls and leases, and hearing soon what other servers changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from server.memories.scope import Scope
from server.operations.operation import Operation, OperationLease, OperationState


@dataclass(frozen=True, slots=True)
class Submission:
    """A call to be done later. `payload` is the request, opaque to everyone but who encoded it.

    `traceparent` is the place in its trace of the call that asks for it.
    """

    id: UUID
    project_id: str
    scope: Scope
    payload: bytes
    output_format: str
    correlation_id: str
    request_id: UUID | None = None
    payload_digest: bytes = b""
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation in the hands of a worker, by `lease`.

    `failures` are the attempts that speak against the call itself, this one included. `traceparent`
    is that of the submission.
    """

    project_id: str
    lease: OperationLease
    payload: bytes
    correlation_id: str
    create_time: datetime
    attempts: int
    failures: int
    age: timedelta
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """How many operations wait, run and were given up; the age in seconds of the oldest undone."""

    queued: int
    running: int
    dead: int
    oldest_seconds: float


class Operations(Protocol):
    """The operations of a project.

    Every method raises StoreUnavailable where PostgreSQL cannot be reached or refuses work.
    """

    async def submit(self, submission: Submission) -> Operation:
        """Keeps a call durably; with a `request_id` that came before, answers the one of then.

        Raises:
            RequestIdReused: the request id was used before with another payload.
        """
        ...

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        """The operation, if there is one."""
        ...

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        """The payload's digest of the operation that came with `request_id`, if there is one."""
        ...

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
    ) -> list[Operation]:
        """The newest first, of these states, older than `before`."""
        ...

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        """Ends an operation that is not done, whatever is worked on it; whether it did."""
        ...

    async def delete(self, project_id: str, operation_id: UUID) -> bool:
        """Forgets an operation that is done; whether it did."""
        ...

    async def revive(self, project_id: str, operation_id: UUID) -> bool:
        """Queues an operation that failed once more; whether it did."""
        ...

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        """What waits, of one project or of all."""
        ...


class OperationQueue(Protocol):
    """Operations as workers of any server see them.

    What needs a lease does nothing, and answers False, when the lease is another's by now or the
    operation was cancelled. Every method raises StoreUnavailable.
    """

    async def claim(self, limit: int, duration: timedelta) -> Sequence[ClaimedOperation]:
        """The oldest undone ones of their scopes that are free, at most `limit`, leased.

        One of which the lease ran out is free. Every claim counts as an attempt and as a failure.
        """
        ...

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        """Lets the lease last this long from now."""
        ...

    async def give_back(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        """Lets the operation be claimed again after `delay`."""
        ...

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        """Ends the operation with the effect that another call had."""
        ...

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        """Ends the operation with an error."""
        ...

    async def prune(self, age: timedelta, limit: int) -> int:
        """Forgets operations that were done this long ago, at most `limit`; how many."""
        ...

    async def release_request_ids(self, age: timedelta, limit: int) -> int:
        """Lets request ids of calls of any kind, this old, be used again; how many, up to `limit`.

        The calls themselves stay.
        """
        ...


class Presence(Protocol):
    """The servers that have entered, by the numbers that they gave themselves.

    A server that is killed is missing at once; one that is cut off, when PostgreSQL notices. One
    that lives can be missing, too, until its connection is replaced. Both methods raise
    StoreUnavailable.
    """

    async def missing(self) -> AbstractSet[int]:
        """Those that have entered and are not there now."""
        ...

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        """Ends what these hold, operations and turns on scopes, and forgets them; how many leases.

        Those that are back by now are left alone. A lease that is ended stays with its holder until
        another one takes it.
        """
        ...


@dataclass(frozen=True, slots=True)
class ScopeLease:
    """The right to work on a scope until it runs out. `lease_id` is of this one lease alone."""

    project_id: str
    scope_key: bytes
    lease_id: UUID


class ScopeLeases(Protocol):
    """Leases on scopes. Each scope has one holder at most.

    A lease that has run out stays with its holder until another one takes it. A change set that
    names its lease is stored only while the holder has it, and ends it: see `MemoryStore.commit`.
    Every method raises StoreUnavailable where PostgreSQL cannot be reached.
    """

    async def acquire(self, lease: ScopeLease, duration: timedelta) -> bool:
        """Takes the lease, unless another holder's has not run out yet; never waits for that."""
        ...

    async def renew(self, lease: ScopeLease, duration: timedelta) -> bool:
        """Makes the lease last for `duration` from now on; False if it is another's by now."""
        ...

    async def release(self, lease: ScopeLease) -> None:
        """Gives the lease back, if the holder still has it."""
        ...


class Channel(StrEnum):
    """What notices are about."""

    MEMORY_EVENTS = "memoir_memory_events"
    OPERATIONS = "memoir_operations"


class Notifications(Protocol):
    """Notices between the servers of one database. They are hints and can be lost.

    A notice says only that it is worth looking. Who waits for one also looks by itself now and
    then, and looks without one when told after a lost connection.
    """

    def notify(self, channel: Channel) -> None:
        """Tells all subscribers of all servers. Returns at once; those of this server know then.

        Called after the commit that it tells of. Many at once can arrive as one.
        """
        ...

    def subscribe(
        self, channel: Channel, on_notice: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Calls `on_notice` for every notice during the block, and whenever some may be lost."""
        ...
