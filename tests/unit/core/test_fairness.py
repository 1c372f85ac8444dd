"""Places are shared between tenants: limited, in turns, and with reserved ones for the service."""

from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from server.core.fairness import ActiveTenants, FairPlaces, share_of
from tests.support.clocks import HandClock

TENANTS = st.sampled_from(["a", "b", "c", None])


async def let_others_run() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def takes(places: FairPlaces, tenant: str | None) -> asyncio.Task[None]:
    task = asyncio.create_task(places.take(tenant))
    await let_others_run()
    return task


async def test_one_tenant_leaves_places_for_others() -> None:
    places = FairPlaces(10, reserved=2)
    busy = [await takes(places, "busy") for _ in range(8)]
    assert [task.done() for task in busy] == [True] * 6 + [False] * 2
    assert (await takes(places, "quiet")).done()
    for task in busy:
        task.cancel()


async def test_calls_do_not_take_the_reserved_places() -> None:
    places = FairPlaces(4, reserved=2)
    for tenant in ("a", "b"):
        assert (await takes(places, tenant)).done()
    third = await takes(places, "c")
    assert not third.done()
    own = [await takes(places, None) for _ in range(3)]
    assert [task.done() for task in own] == [True, True, False]
    places.give_back(None)
    await let_others_run()
    assert own[2].done()
    assert not third.done()
    places.give_back("a")
    await let_others_run()
    assert third.done()


async def test_the_place_of_a_call_cancelled_at_its_turn_goes_to_the_next() -> None:
    places = FairPlaces(1, reserved=0)
    await places.take("a")
    first, second = await takes(places, "a"), await takes(places, "b")
    places.give_back("a")
    first.cancel()
    await let_others_run()
    assert first.cancelled()
    assert second.done()


async def test_a_cancelled_wait_gets_no_place() -> None:
    places = FairPlaces(1, reserved=0)
    await places.take("a")
    first, second = await takes(places, "a"), await takes(places, "a")
    first.cancel()
    places.give_back("a")
    await let_others_run()
    assert second.done()


async def test_a_tenant_beside_others_holds_one_place_for_long_work() -> None:
    clock = HandClock()
    active = ActiveTenants(clock)
    places = FairPlaces(4, reserved=0, share=active.long_share)
    active.note("busy")
    for _ in range(2):
        assert (await takes(places, "busy")).done()
    active.note("quiet")
    active.note("busy")
    waits = await takes(places, "busy")
    assert (await takes(places, "quiet")).done()
    places.give_back("busy")
    await let_others_run()
    assert not waits.done()
    places.give_back("busy")
    await let_others_run()
    assert waits.done()
    assert not places.take_now("busy")
    clock.now += 60.0
    assert places.take_now("busy")


def test_another_tenant_is_active_for_some_seconds() -> None:
    clock = HandClock()
    active = ActiveTenants(clock)
    assert not active.others_active("a")
    active.note("a")
    active.note("a")
    assert [active.others_active(tenant) for tenant in "ab"] == [False, True]
    clock.now += 3.0
    active.note("b")
    assert [active.others_active(tenant) for tenant in "abc"] == [True, True, True]
    clock.now += 3.0
    assert [active.others_active(tenant) for tenant in "abc"] == [True, False, True]


def test_a_tenant_beside_others_has_a_smaller_share() -> None:
    active = ActiveTenants(HandClock())
    assert (active.share("a", 14), active.long_share("a", 14)) == (11, 11)
    active.note("b")
    assert (active.share("a", 14), active.long_share("a", 14)) == (4, 1)
    assert (active.share("a", 1), active.long_share("a", 1)) == (1, 1)


@given(
    size=st.integers(1, 12),
    reserved=st.integers(0, 3),
    steps=st.lists(st.tuples(TENANTS, st.sampled_from(["take", "give back", "cancel"]))),
)
def test_places_are_neither_exceeded_nor_left_unused(
    size: int, reserved: int, steps: list[tuple[str | None, str]]
) -> None:
    async def run() -> None:
        places = FairPlaces(size, reserved)
        tasks: dict[str | None, list[asyncio.Task[None]]] = {}
        for tenant, step in steps:
            mine = tasks.setdefault(tenant, [])
            held = [task for task in mine if task.done()]
            waits = [task for task in mine if not task.done()]
            if step == "take":
                mine.append(await takes(places, tenant))
            elif step == "give back" and held:
                mine.remove(held[0])
                places.give_back(tenant)
                await let_others_run()
            elif step == "cancel" and waits:
                mine.remove(waits[-1])
                waits[-1].cancel()
                await let_others_run()
            holds = {name: sum(t.done() for t in of) for name, of in tasks.items()}
            calls = sum(count for name, count in holds.items() if name)
            limit = max(1, size - reserved)
            assert sum(holds.values()) <= size
            assert calls <= limit
            assert all(count <= share_of(limit) for name, count in holds.items() if name)
            for name, of in tasks.items():
                if any(not task.done() for task in of):
                    full = sum(holds.values()) == size
                    at_limit = name is not None and (
                        calls == limit or holds[name] == share_of(limit)
                    )
                    assert full or at_limit
        for of in tasks.values():
            for task in of:
                task.cancel()

    asyncio.run(run())
