"""No tenant keeps the others out: places, queues, bytes and streams are shared."""

from __future__ import annotations

import asyncio

import pytest

from server.api.grpc.admission import Admission, AdmissionLimits
from server.api.grpc.large_messages import LARGE_BYTES
from server.core.transient_errors import Overloaded
from tests.support.admissions import (
    BUSY,
    FOREVER,
    PATIENCE_SECONDS,
    QUIET,
    READ,
    STREAM,
    WRITE,
    let_others_run,
    limits,
    waiting,
)
from tests.support.clocks import HandClock


async def test_a_quiet_tenant_is_admitted_while_a_busy_one_waits() -> None:
    admission = Admission(limits(concurrency=8, reads=4, writes=4))
    for _ in range(3):
        await admission.enter(READ, 0, FOREVER, BUSY)
    waits = waiting(admission, READ)
    await let_others_run()
    assert not waits.done()
    await admission.enter(READ, 0, FOREVER, QUIET)
    assert (admission.running, admission.waiting) == (4, 1)
    waits.cancel()


async def test_tenants_take_turns() -> None:
    admission = Admission(limits(concurrency=1, queue=8))
    entered = await admission.enter(READ, 0, FOREVER, BUSY)
    busy = [waiting(admission, READ) for _ in range(3)]
    await let_others_run()
    quiet = asyncio.create_task(admission.enter(READ, 0, FOREVER, QUIET))
    await let_others_run()
    admission.leave(entered)
    await let_others_run()
    admission.leave(await busy[0])
    await let_others_run()
    assert quiet.done()
    assert not busy[1].done()
    admission.leave(await quiet)
    await let_others_run()
    assert busy[1].done()
    assert not busy[2].done()
    busy[2].cancel()


def roomy() -> Admission:
    """Returns an admission with places for several large calls."""
    return Admission(limits(concurrency=8, writes=8, queue=8, request_bytes=100 * LARGE_BYTES))


async def test_large_writes_of_a_tenant_beside_others_run_one_at_a_time() -> None:
    admission = roomy()
    await admission.enter(READ, 0, FOREVER, QUIET)
    entered = await admission.enter(WRITE, LARGE_BYTES, FOREVER, BUSY)
    large = [waiting(admission, WRITE, LARGE_BYTES) for _ in range(2)]
    small = waiting(admission, WRITE, LARGE_BYTES - 1)
    await let_others_run()
    assert [task.done() for task in (*large, small)] == [False, False, True]
    await admission.enter(WRITE, LARGE_BYTES, FOREVER, QUIET)
    admission.leave(entered)
    await let_others_run()
    assert [task.done() for task in large] == [True, False]
    admission.leave(await large[0])
    admission.leave(await large[1])
    assert (admission.running, admission.waiting) == (3, 0)


async def test_calls_of_a_tenant_begin_one_by_one() -> None:
    admission = roomy()
    await admission.enter(READ, 0, FOREVER, QUIET)
    first, second, third = (waiting(admission, WRITE) for _ in range(3))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await first
        assert not second.done()
        await admission.enter(WRITE, 0, FOREVER, QUIET)
        second.cancel()
        await third
    assert admission.running == 4
    assert second.cancelled()


async def test_calls_of_a_tenant_go_on_one_by_one() -> None:
    admission = roomy()
    async with asyncio.timeout(PATIENCE_SECONDS):
        busy = [await admission.enter(WRITE, 0, FOREVER, BUSY) for _ in range(2)]
        await asyncio.gather(*(call.take_turn() for call in busy))
        quiet = await admission.enter(READ, 0, FOREVER, QUIET)
        first, second = (asyncio.create_task(call.take_turn()) for call in busy)
        await quiet.take_turn()
        await first
        assert not second.done()
        await second


async def test_a_refusal_of_a_tenant_beside_others_is_held_back() -> None:
    admission = Admission(limits(queue=2))
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    waits = [waiting(admission, WRITE) for _ in range(2)]
    await let_others_run()
    alone = waiting(admission, WRITE)
    await let_others_run()
    assert isinstance(alone.exception(), Overloaded)
    await admission.enter(READ, 0, FOREVER, QUIET)
    held_back = [waiting(admission, WRITE) for _ in range(3)]
    await let_others_run()
    # No more are held back than may wait.
    assert [task.done() for task in held_back] == [False, False, True]
    with pytest.raises(Overloaded):
        await held_back[0]
    for task in waits:
        task.cancel()
    await asyncio.gather(*waits, *held_back, return_exceptions=True)
    assert admission.waiting == 0


async def test_a_tenant_beside_others_holds_a_quarter_of_the_places() -> None:
    admission = roomy()
    quiet = await admission.enter(READ, 0, FOREVER, QUIET)
    busy = [waiting(admission, WRITE) for _ in range(3)]
    await let_others_run()
    assert [task.done() for task in busy] == [True, True, False]
    assert (
        await asyncio.wait_for(admission.enter(WRITE, 0, FOREVER, QUIET), PATIENCE_SECONDS)
    ).holds_place
    admission.leave(quiet)
    admission.leave(await busy[0])
    admission.leave(await busy[1])
    admission.leave(await busy[2])


async def test_large_writes_of_a_tenant_alone_run_at_once() -> None:
    admission = roomy()
    large = [waiting(admission, WRITE, LARGE_BYTES) for _ in range(7)]
    await asyncio.wait(large[:6])
    await let_others_run()
    assert [task.done() for task in large] == [True] * 6 + [False]
    assert admission.running == 6
    large[-1].cancel()


async def test_writes_large_or_not_leave_room_for_reads() -> None:
    admission = Admission(limits(writes=2, queue=0, request_bytes=100 * LARGE_BYTES))
    await admission.enter(WRITE, LARGE_BYTES, FOREVER, BUSY)
    await admission.enter(WRITE, 0, FOREVER, QUIET)
    for size in (0, LARGE_BYTES):
        with pytest.raises(Overloaded):
            await admission.enter(WRITE, size, FOREVER, "another")


async def test_no_tenant_can_fill_the_queue() -> None:
    admission = Admission(limits(concurrency=1, queue=4))
    await admission.enter(READ, 0, FOREVER, BUSY)
    waits = [waiting(admission, READ) for _ in range(3)]
    await let_others_run()
    with pytest.raises(Overloaded):
        await admission.enter(READ, 0, FOREVER, BUSY)
    quiet = asyncio.create_task(admission.enter(READ, 0, FOREVER, QUIET))
    await let_others_run()
    assert admission.waiting == 4
    for task in (*waits, quiet):
        task.cancel()


async def test_no_tenant_can_take_all_streams() -> None:
    admission = Admission(AdmissionLimits(streams=4))
    for _ in range(3):
        await admission.enter(STREAM, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(STREAM, 0, FOREVER, BUSY)
    await admission.enter(STREAM, 0, FOREVER, QUIET)


async def test_no_tenant_can_fill_the_memory() -> None:
    admission = Admission(limits(concurrency=8, reads=8, request_bytes=1000))
    await admission.enter(READ, 700, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(READ, 100, FOREVER, BUSY)
    await admission.enter(READ, 100, FOREVER, QUIET)


async def test_the_expected_wait_counts_the_turns_of_others_once() -> None:
    clock = HandClock()
    admission = Admission(limits(concurrency=1, reads=1, queue=100), clock)
    for _ in range(200):
        entered = await admission.enter(READ, 0, FOREVER, BUSY)
        clock.now += 1.0
        admission.leave(entered)
    await admission.enter(READ, 0, FOREVER, BUSY)
    busy = [waiting(admission, READ) for _ in range(10)]
    await let_others_run()
    with pytest.raises(Overloaded):
        await admission.enter(READ, 0, 5.0, BUSY)
    quiet = asyncio.create_task(admission.enter(READ, 0, 5.0, QUIET))
    await let_others_run()
    assert not quiet.done()
    for task in (*busy, quiet):
        task.cancel()
