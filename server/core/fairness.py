"""Shares bounded places between tenants, so that no tenant can lock out the others.

A tenant is a project, or an organization if its key was used. Three rules apply:

- No tenant holds more than three quarters of the places, so that some are free for others.
- Waiting tenants take turns (round-robin), so that a call of a quiet tenant never waits behind all
  calls of a busy tenant.
- While other tenants are active, a tenant holds at most a quarter of the places for work, and only
  one for long work. A free place does not help others if one tenant's work keeps the processors
  busy.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from functools import partial
from math import ceil
from typing import TypeAlias

_LARGEST_SHARE = 0.75
_SHARE_BESIDE_OTHERS = 0.25
_ACTIVE_SECONDS = 5.0


def share_of(limit: int) -> int:
    """Returns how many of `limit` places one tenant may hold."""
    return ceil(limit * _LARGEST_SHARE)


class ActiveTenants:
    """Knows for each tenant whether another tenant was active in the last five seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last, self._last_time = "", float("-inf")
        self._other_time = float("-inf")
        """When a tenant other than the last one was active."""

    def note(self, tenant: str) -> None:
        """Records that the tenant is active now."""
        if tenant != self._last:
            self._last, self._other_time = tenant, self._last_time
        self._last_time = self._monotonic()

    def others_active(self, tenant: str) -> bool:
        """Whether a tenant other than this one is active."""
        other = self._other_time if tenant == self._last else self._last_time
        return self._monotonic() - other < _ACTIVE_SECONDS

    def share(self, tenant: str, limit: int) -> int:
        """Returns how many of `limit` places the tenant may hold now."""
        return ceil(limit * _SHARE_BESIDE_OTHERS) if self.others_active(tenant) else share_of(limit)

    def long_share(self, tenant: str, limit: int) -> int:
        """Returns how many of `limit` places for long work the tenant may hold now."""
        return 1 if self.others_active(tenant) else share_of(limit)


Share: TypeAlias = Callable[[str, int], int]
"""Returns how many of a number of places a tenant may hold now."""


def _share_of_any(_tenant: str, limit: int) -> int:
    return share_of(limit)


class Holdings:
    """The amount of something that each tenant holds."""

    def __init__(self) -> None:
        self._amounts: dict[str, int] = {}
        self.total = 0

    def of(self, tenant: str) -> int:
        """Returns the amount that the tenant holds."""
        return self._amounts.get(tenant, 0)

    def amounts(self) -> dict[str, int]:
        """Returns the amounts of all tenants that hold anything."""
        return dict(self._amounts)

    def add(self, tenant: str, amount: int = 1) -> None:
        """Adds to the amount that the tenant holds."""
        self.total += amount
        self._amounts[tenant] = self._amounts.get(tenant, 0) + amount

    def subtract(self, tenant: str, amount: int = 1) -> None:
        """Subtracts from the amount that the tenant holds."""
        self.total -= amount
        left = self._amounts.get(tenant, 0) - amount
        if left:
            self._amounts[tenant] = left
        else:
            self._amounts.pop(tenant, None)


class TurnQueue:
    """A queue for places: tenants take turns, and each tenant's calls keep their order."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()
        self._length = 0

    def __len__(self) -> int:
        return self._length

    @property
    def tenants(self) -> int:
        """The number of waiting tenants."""
        return len(self._waiting)

    def of(self, tenant: str) -> int:
        """Returns the number of the tenant's waiting calls."""
        return len(self._waiting.get(tenant, ()))

    async def wait(self, tenant: str, give_back: Callable[[], None]) -> None:
        """Waits for the tenant's turn.

        `give_back` is called if the wait was cancelled at the moment when the turn came.
        """
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(turn)
        self._length += 1
        try:
            await turn
        except BaseException:
            if turn.done() and not turn.cancelled():
                give_back()
            elif turn in self._waiting.get(tenant, ()):
                self._waiting[tenant].remove(turn)
                self._removed(tenant)
            raise

    def next(self, has_room: Callable[[str], bool]) -> str | None:
        """Ends the oldest wait of the first tenant that has room. Returns that tenant."""
        if not self._waiting:
            return None
        while (tenant := self._first(has_room)) is not None:
            turn = self._pop(tenant)
            # A wait that was just cancelled can still be in the queue.
            if not turn.done():
                turn.set_result(None)
                return tenant
        return None

    def _first(self, has_room: Callable[[str], bool]) -> str | None:
        return next((tenant for tenant in self._waiting if has_room(tenant)), None)

    def _pop(self, tenant: str) -> asyncio.Future[None]:
        turn = self._waiting[tenant].popleft()
        self._waiting.move_to_end(tenant)
        self._removed(tenant)
        return turn

    def _removed(self, tenant: str) -> None:
        self._length -= 1
        if not self._waiting[tenant]:
            del self._waiting[tenant]


class FairPlaces:
    """Places that calls share; some of them are reserved for the service's own work."""

    def __init__(self, size: int, reserved: int, share: Share = _share_of_any) -> None:
        """Calls may hold all places except the `reserved` ones, but at least one."""
        self._size = size
        self._share = share
        self._for_calls = max(1, size - reserved)
        self._held = Holdings()
        self._queue = TurnQueue()

    @property
    def waiting(self) -> int:
        """The number of waits for a place."""
        return len(self._queue)

    async def take(self, tenant: str | None) -> None:
        """Waits for a place, which must be given back; None means the service's own work."""
        if not self.take_now(tenant):
            await self._queue.wait(tenant or "", partial(self.give_back, tenant))

    def take_now(self, tenant: str | None) -> bool:
        """Takes a place if `take` would not have to wait. Returns whether it did."""
        name = tenant or ""
        if self._queue.of(name) or not self._has_room(name):
            return False
        self._held.add(name)
        return True

    def give_back(self, tenant: str | None) -> None:
        """Frees a place that the tenant took."""
        self._held.subtract(tenant or "")
        while (admitted := self._queue.next(self._has_room)) is not None:
            self._held.add(admitted)

    def _has_room(self, tenant: str) -> bool:
        if self._held.total >= self._size:
            return False
        if not tenant:
            return True
        calls = self._held.total - self._held.of("")
        share = self._share(tenant, self._for_calls)
        return calls < self._for_calls and self._held.of(tenant) < share
