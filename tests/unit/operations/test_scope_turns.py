"""Calls of several servers take turns on a scope."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from server.core.transient_errors import StoreUnavailable
from server.operations.leases import ScopeTurns, TurnPolicy
from server.operations.ports import ScopeLease
from tests.support.fake_store import FakeLeases
from tests.support.inference import World, add

PLACE = ("p", b"s")
FOREIGN = ScopeLease(*PLACE, uuid4())
PATIENCE = 5.0


class Naps:
    """Sleeps without taking time; records `lengths`, and calls `on_nap` for each."""

    def __init__(self) -> None:
        self.lengths: list[float] = []
        self.leases: FakeLeases | None = None
        self.until = 3

    async def __call__(self, seconds: float) -> None:
        self.lengths.append(seconds)
        if self.leases is not None and len(self.lengths) == self.until:
            self.leases.holders.clear()
        await asyncio.sleep(0)


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_call_waits_for_the_lease_of_another_server() -> None:
    leases, naps = FakeLeases({PLACE: FOREIGN.lease_id}), Naps()
    naps.leases = leases
    turns = ScopeTurns(leases, sleep=naps, jitter=lambda: 0.0)
    async with asyncio.timeout(PATIENCE), turns.take(*PLACE, leases.acquire) as (lease, _):
        assert leases.holders[PLACE] == lease.lease_id
    assert naps.lengths[:3] == [0.0025, 0.005, 0.01]


@given(st.integers(1, 10_000), st.floats(0, 1, exclude_max=True))
def test_pauses_are_limited(attempt: int, jitter: float) -> None:
    policy = TurnPolicy()
    assert policy.first_pause / 2 <= policy.pause(attempt, jitter) <= policy.longest_pause


@pytest.mark.parametrize("failure", [ZeroDivisionError, asyncio.CancelledError])
async def test_a_failed_call_releases_the_lease(failure: type[BaseException]) -> None:
    leases = FakeLeases()
    with pytest.raises(failure):
        async with ScopeTurns(leases).take(*PLACE, leases.acquire):
            raise failure
    await let_others_run()
    assert leases.holders == {}


async def test_a_call_cancelled_while_waiting_takes_no_lease() -> None:
    leases = FakeLeases({PLACE: FOREIGN.lease_id})
    turns = ScopeTurns(leases, sleep=lambda _: asyncio.sleep(0))

    async def visit() -> None:
        async with turns.take(*PLACE, leases.acquire):
            raise AssertionError("the scope is taken")

    task = asyncio.create_task(visit())
    await let_others_run()
    task.cancel()
    await asyncio.wait([task])
    await let_others_run()
    assert task.cancelled()
    assert leases.holders == {PLACE: FOREIGN.lease_id}


async def test_a_lease_is_renewed_while_the_work_lasts() -> None:
    class Counting(FakeLeases):
        renewals = 0
        enough = asyncio.Event()

        async def renew(self, lease: ScopeLease, duration: object) -> bool:
            self.renewals += 1
            if self.renewals == 1:
                raise StoreUnavailable
            if self.renewals == 3:
                self.enough.set()
            return True

    leases, naps = Counting(), Naps()
    turns = ScopeTurns(leases, policy=TurnPolicy(lease=0.03), sleep=naps)
    with capture_logs() as logs:
        async with asyncio.timeout(PATIENCE), turns.take(*PLACE, leases.acquire):
            await leases.enough.wait()
    assert naps.lengths[:2] == [0.01, 0.01]
    assert [log["event"] for log in logs] == ["scope_lease.not_renewed"]


async def test_an_add_that_lost_its_lease_starts_again_once() -> None:
    world = World()

    async def lose_the_lease() -> None:
        world.model.thinking = at_once
        world.leases.holders.clear()
        await world.knows("Likes cake")

    async def at_once() -> None:
        """Returns at once."""

    world.model.thinking = lose_the_lease
    world.model.script = [[add("Likes tea")]]
    outcome = await world.add_messages(add("Likes tea"))
    assert [change.text for change in outcome.changes] == ["Likes tea"]
    assert [len(request.candidates) for request in world.model.requests] == [0, 1]
