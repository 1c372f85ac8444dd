"""Ports that store asynchronous calls and leases, and notify servers of each other's changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from server.core.request_context import NOBODY, Origin
from server.memories.scope import Scope
from server.operations.operation import Operation, OperationLease, OperationState


@dataclass(frozen=True, slots=True)
class Submission:
    """A call to be done later. `payload` is the request, opaque to all but its encoder.

    `traceparent` is the submitting call's place in its trace, `origin` tells who made the call.
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
    origin: Origin = NOBODY


@dataclass(frozen=True, slots=True)
class ClaimedOperation:
    """An operation that a worker holds by `lease`.

    `failures` counts the attempts that may have failed because of the call itself, including this
    one. `traceparent` and `origin` are those of the submission.
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
    origin: Origin = NOBODY


@dataclass(frozen=True, slots=True)
class Shares:
    """How a claim divides the workers of a server between projects.

    No project gets more than `largest` operations at once, including the `running` ones that the
    server already performs for it.
    """

    largest: int
    running: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    """Counts of waiting, running and given-up operations; the age of the oldest unfinished one."""

    queued: int
    running: int
    given_up: int
    oldest_seconds: float


class Operations(Protocol):
    """Asynchronous calls: a project's operations, and the queue that all servers' workers share.

    Methods that take a claimed operation do nothing and return False if it was cancelled or another
    worker has taken it over. Every method raises StoreUnavailable if PostgreSQL cannot be reached
    or refuses work.
    """

    async def submit(self, submission: Submission) -> Operation:
        """Stores a call durably, or returns the existing operation if `request_id` was used before.

        Raises:
            RequestIdReused: the request id was used before with another payload.
        """
        ...

    async def get(self, project_id: str, operation_id: UUID) -> Operation | None:
        """Returns the operation, or None if there is none."""
        ...

    async def accepted_digest(self, project_id: str, request_id: UUID) -> bytes | None:
        """Returns the payload digest of the operation with this `request_id`, if there is one."""
        ...

    async def list(
        self,
        project_id: str,
        states: Sequence[OperationState] | None,
        limit: int,
        before: UUID | None,
        within: Scope | None = None,
    ) -> list[Operation]:
        """Returns operations in these states and scope, older than `before`, newest first."""
        ...

    async def cancel(self, project_id: str, operation_id: UUID, error: bytes) -> bool:
        """Ends an operation that is not done, even if it is running. Returns whether it did."""
        ...

    async def delete(self, project_id: str, operation_id: UUID) -> bool:
        """Deletes an operation that is done. Returns whether it did."""
        ...

    async def revive(self, project_id: str, operation_id: UUID) -> bool:
        """Queues a failed operation again. Returns whether it did."""
        ...

    async def queue_statistics(self, project_id: str | None = None) -> QueueStatistics:
        """Returns the statistics of one project, or of all."""
        ...

    async def claim(
        self, limit: int, duration: timedelta, shares: Shares
    ) -> Sequence[ClaimedOperation]:
        """Leases and returns free operations that are the oldest unfinished ones of their scopes.

        Returns at most `limit`. Projects take turns, within their `shares`. An operation whose
        lease has expired is free. Every claim counts as an attempt and as a failure.
        """
        ...

    async def renew(self, claimed: ClaimedOperation, duration: timedelta) -> bool:
        """Extends the lease to last this long from now."""
        ...

    async def release(
        self,
        claimed: ClaimedOperation,
        delay: timedelta,
        *,
        is_failure: bool,
        fault: str | None = None,
    ) -> bool:
        """Makes the operation claimable again after `delay`."""
        ...

    async def succeed(self, claimed: ClaimedOperation, call_id: UUID) -> bool:
        """Ends the operation with the effect of another call."""
        ...

    async def fail(self, claimed: ClaimedOperation, fault: str, error: bytes) -> bool:
        """Ends the operation with an error."""
        ...

    async def prune(self, age: timedelta, limit: int) -> int:
        """Deletes at most `limit` operations that ended this long ago. Returns how many."""
        ...

    async def release_request_ids(self, age: timedelta, limit: int) -> int:
        """Frees up to `limit` request ids of calls of any kind that are this old. Returns how many.

        The ids can then be used again; the calls themselves stay.
        """
        ...


@dataclass(frozen=True, slots=True)
class ScopeLease:
    """The right to work on a scope until it expires. `lease_id` is unique to this lease."""

    project_id: str
    scope_key: bytes
    lease_id: UUID


class Leases(Protocol):
    """Leases on scopes, each with at most one holder, and the servers that hold leases.

    An expired lease stays with its holder until another holder takes it. A change set with a lease
    is stored only while the lease is held, and ends the lease: see `MemoryStore.commit`. Every
    method raises StoreUnavailable if PostgreSQL cannot be reached.
    """

    async def acquire(self, lease: ScopeLease, duration: timedelta) -> bool:
        """Takes the lease unless another holder's has not expired yet; never waits."""
        ...

    async def renew(self, lease: ScopeLease, duration: timedelta) -> bool:
        """Extends the lease to last `duration` from now; False if another holder has taken it."""
        ...

    async def release(self, lease: ScopeLease) -> None:
        """Releases the lease, if the holder still has it."""
        ...

    async def missing(self) -> AbstractSet[int]:
        """Returns the servers that have registered and are not connected now, by their numbers.

        A server that is killed is missing at once; one that is cut off is missing when PostgreSQL
        notices. A live server can also be missing until it replaces a lost connection.
        """
        ...

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        """Ends all leases of these servers, forgets the servers, and returns the number of leases.

        This covers leases on operations and scopes. Servers that are connected again are left
        alone. An ended lease stays with its holder until another holder takes it.
        """
        ...


class Channel(StrEnum):
    """The subject of a notification."""

    MEMORY_EVENTS = "memoir_memory_events"
    GRAPH_OUTBOX = "memoir_graph_outbox"
    OPERATIONS = "memoir_operations"


class Notifications(Protocol):
    """Notifications between the servers of one database. They are hints and can be lost.

    A notification only means that there may be something to do. Subscribers therefore also poll,
    and are notified after a lost connection.
    """

    def notify(self, channel: Channel) -> None:
        """Notifies the subscribers of all servers. Call it after the commit that it announces.

        The subscribers of this server are notified before it returns, the others later.
        Simultaneous notifications can arrive as one.
        """
        ...

    def subscribe(
        self, channel: Channel, on_notice: Callable[[], None]
    ) -> AbstractContextManager[None]:
        """Calls `on_notice` in the block for each notification, and if some may have been lost."""
        ...
