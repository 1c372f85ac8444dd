"""Calls are admitted up to the limits, wait briefly beyond them, and are then refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from server.api.grpc.admission import Admission, AdmissionLimits
from server.core.request_context import parked
from server.core.transient_errors import Overloaded
from tests.support.admissions import (
    BUSY,
    FOREVER,
    QUIET,
    READ,
    STREAM,
    WRITE,
    let_others_run,
    limits,
    waiting,
)
from tests.support.clocks import HandClock


async def test_writes_leave_places_for_reads() -> None:
    admission = Admission(limits(queue=0))
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(WRITE, 0, FOREVER, BUSY)
    await admission.enter(READ, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(READ, 0, FOREVER, BUSY)
    assert admission.running == 2


async def test_reads_leave_places_for_writes() -> None:
    admission = Admission(limits(reads=1, queue=0))
    await admission.enter(READ, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(READ, 0, FOREVER, BUSY)
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    assert admission.running == 2


async def test_reads_waiting_for_their_own_limit_do_not_delay_writes() -> None:
    admission = Admission(limits(reads=1))
    await admission.enter(READ, 0, FOREVER, BUSY)
    queued = waiting(admission, READ)
    await let_others_run()
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    assert admission.running == 2
    queued.cancel()


async def test_reads_are_admitted_before_earlier_writes() -> None:
    admission = Admission(limits(concurrency=1))
    entered = await admission.enter(READ, 0, FOREVER, BUSY)
    write, read = waiting(admission, WRITE), waiting(admission, READ)
    await let_others_run()
    assert admission.waiting == 2
    admission.leave(entered)
    await let_others_run()
    assert read.done()
    assert not write.done()
    admission.leave(await read)
    admission.leave(await write)
    assert (admission.running, admission.waiting) == (0, 0)


async def test_calls_of_one_kind_are_admitted_in_order_of_arrival() -> None:
    admission = Admission(limits(concurrency=1))
    entered = await admission.enter(READ, 0, FOREVER, BUSY)
    first, second = waiting(admission, READ), waiting(admission, READ)
    await let_others_run()
    admission.leave(entered)
    await let_others_run()
    assert first.done()
    assert not second.done()
    admission.leave(await first)
    await second


async def test_a_call_is_refused_if_the_queue_is_full() -> None:
    admission = Admission(limits(queue=1))
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    queued = waiting(admission, WRITE)
    await let_others_run()
    with pytest.raises(Overloaded) as refused:
        await admission.enter(WRITE, 0, FOREVER, BUSY)
    assert refused.value.retry_after > timedelta(0)
    queued.cancel()


async def test_a_call_is_refused_at_once_if_it_would_wait_beyond_its_deadline() -> None:
    clock = HandClock()
    admission = Admission(limits(), clock)
    for _ in range(200):
        entered = await admission.enter(WRITE, 0, FOREVER, BUSY)
        clock.now += 10.0
        admission.leave(entered)
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded) as refused:
        await admission.enter(WRITE, 0, 9.0, BUSY)
    assert admission.waiting == 0
    assert timedelta(seconds=9) < refused.value.retry_after <= timedelta(seconds=10)
    queued = asyncio.create_task(admission.enter(WRITE, 0, 30.0, BUSY))
    await let_others_run()
    assert admission.waiting == 1
    queued.cancel()


async def test_a_call_that_waits_too_long_is_refused() -> None:
    admission = Admission(limits(queue_seconds=0.01))
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(WRITE, 0, FOREVER, BUSY)
    assert admission.waiting == 0


async def test_a_cancelled_wait_holds_nothing() -> None:
    admission = Admission(limits())
    entered = await admission.enter(WRITE, 10, FOREVER, BUSY)
    queued = waiting(admission, WRITE, 990)
    await let_others_run()
    queued.cancel()
    await asyncio.wait([queued])
    assert admission.waiting == 0
    await admission.enter(READ, 990, FOREVER, QUIET)
    admission.leave(entered)
    assert admission.running == 1


async def test_the_place_of_a_cancelled_call_goes_to_the_next() -> None:
    admission = Admission(limits())
    entered = await admission.enter(WRITE, 0, FOREVER, BUSY)
    first, second = waiting(admission, WRITE), waiting(admission, WRITE)
    await let_others_run()
    admission.leave(entered)
    first.cancel()
    await asyncio.wait([first])
    await second
    assert (admission.running, admission.waiting) == (1, 0)


async def test_the_bytes_in_progress_are_limited() -> None:
    admission = Admission(limits())
    entered = await admission.enter(READ, 5000, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(READ, 1, FOREVER, BUSY)
    admission.leave(entered)
    await admission.enter(READ, 600, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(READ, 401, FOREVER, QUIET)
    await admission.enter(READ, 400, FOREVER, QUIET)


async def test_streams_have_their_own_limit_and_do_not_wait() -> None:
    admission = Admission(limits(concurrency=1))
    await admission.enter(READ, 0, FOREVER, BUSY)
    entered = await admission.enter(STREAM, 0, FOREVER, BUSY)
    with pytest.raises(Overloaded):
        await admission.enter(STREAM, 0, FOREVER, BUSY)
    admission.leave(entered)
    await admission.enter(STREAM, 0, FOREVER, BUSY)


async def test_a_parked_call_frees_its_place_for_others() -> None:
    admission = Admission(limits(queue=0))
    first = await admission.enter(WRITE, 10, FOREVER, BUSY)
    first.vacate()
    second = await admission.enter(WRITE, 10, FOREVER, BUSY)
    assert (admission.running, admission.parked) == (1, 1)
    admission.leave(second)
    await first.retake()
    assert (admission.running, admission.parked) == (1, 0)
    admission.leave(first)
    assert (admission.running, admission.parked) == (0, 0)


async def test_parked_calls_go_before_new_ones() -> None:
    admission = Admission(limits())
    returning = await admission.enter(WRITE, 0, FOREVER, BUSY)
    returning.vacate()
    working = await admission.enter(WRITE, 0, FOREVER, BUSY)
    new = waiting(admission, WRITE)
    await let_others_run()
    back = asyncio.create_task(returning.retake())
    await let_others_run()
    assert not back.done()
    admission.leave(working)
    await let_others_run()
    assert back.done()
    assert not new.done()
    admission.leave(returning)
    admission.leave(await new)


async def test_a_call_with_concurrent_waits_is_parked_until_the_last_ends() -> None:
    admission = Admission(limits())
    call = await admission.enter(READ, 0, FOREVER, BUSY)
    call.vacate()
    call.vacate()
    await call.retake()
    assert (admission.running, admission.parked) == (0, 1)
    await call.retake()
    assert (admission.running, admission.parked) == (1, 0)


async def test_the_number_of_parked_calls_is_limited() -> None:
    admission = Admission(AdmissionLimits(parked=2))
    for _ in range(2):
        (await admission.enter(WRITE, 0, FOREVER, BUSY)).vacate()
    with pytest.raises(Overloaded) as refused:
        await admission.enter(READ, 0, FOREVER, BUSY)
    assert refused.value.retry_after > timedelta(0)
    await admission.enter(STREAM, 0, FOREVER, BUSY)


async def test_the_bytes_of_parked_calls_count() -> None:
    admission = Admission(limits(request_bytes=1000))
    (await admission.enter(WRITE, 900, FOREVER, BUSY)).vacate()
    with pytest.raises(Overloaded):
        await admission.enter(WRITE, 200, FOREVER, BUSY)


async def test_a_call_cancelled_while_parked_holds_nothing() -> None:
    admission = Admission(limits())

    async def call(entered: asyncio.Event) -> None:
        admitted = await admission.enter(WRITE, 10, FOREVER, BUSY)
        try:
            async with parked():
                entered.set()
                await asyncio.Event().wait()
        finally:
            admission.leave(admitted)

    entered = asyncio.Event()
    task = asyncio.create_task(call(entered))
    await entered.wait()
    assert (admission.running, admission.parked) == (0, 1)
    task.cancel()
    await asyncio.wait([task])
    assert (admission.running, admission.parked) == (0, 0)


async def test_a_call_cancelled_while_returning_from_parking_holds_nothing() -> None:
    admission = Admission(limits())
    returning = await admission.enter(WRITE, 0, FOREVER, BUSY)
    returning.vacate()
    working = await admission.enter(WRITE, 0, FOREVER, BUSY)
    back = asyncio.create_task(returning.retake())
    await let_others_run()
    back.cancel()
    await asyncio.wait([back])
    admission.leave(returning)
    admission.leave(working)
    assert (admission.running, admission.parked, admission.waiting) == (0, 0, 0)


async def test_parked_time_does_not_count_as_work() -> None:
    """The expected wait of a new call depends on how long others hold their places."""
    clock = HandClock()
    admission = Admission(limits(), clock)
    for _ in range(200):
        call = await admission.enter(WRITE, 0, FOREVER, BUSY)
        call.vacate()
        clock.now += 100.0
        await call.retake()
        clock.now += 0.001
        admission.leave(call)
    await admission.enter(WRITE, 0, FOREVER, BUSY)
    queued = asyncio.create_task(admission.enter(WRITE, 0, 1.0, BUSY))
    await let_others_run()
    assert admission.waiting == 1
    queued.cancel()


async def test_background_work_takes_no_place_and_is_not_parked() -> None:
    async with parked():
        pass
