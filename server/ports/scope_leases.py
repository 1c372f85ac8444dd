"""Letting one call at a time work on a scope, across servers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class ScopeLease:
    """The right to work on a scope until it runs out. `holder` is of this one lease alone."""

    project_id: str
    scope_key: bytes
    holder: UUID


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
