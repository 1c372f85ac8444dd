"""Calls are admitted up to the limits, wait briefly beyond them, and are then refused."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from server.api.grpc.access_rules import MethodClass
from server.api.grpc.admission import Admission, AdmissionLimits, AdmittedCall
from server.api.grpc.large_messages import LARGE_BYTES
from server.core.errors import Overloaded
from server.core.pacing import TURNS_BETWEEN_STEPS
from server.core.request_context import parked
from tests.support.clocks import HandClock

READ, WRITE, STREAM = MethodClass.READ, MethodClass.WRITE, MethodClass.STREAM
FOREVER = float("inf")
BUSY, QUIET = "busy", "quiet"
# Only a fault takes this long, however busy the machine is.
PATIENCE_SECONDS = 60.0


def limits(
    *,
    concurrency: int = 2,
    reads: int = 2,
    writes: int = 1,
    queue: int = 2,
    queue_seconds: float = 60.0,
    request_bytes: int = 1000,
) -> AdmissionLimits:
    return AdmissionLimits.model_construct(
        concurrency=concurrency,
        reads=reads,
        writes=writes,
        queue=queue,
        queue_seconds=queue_seconds,
        streams=1,
        request_bytes=request_bytes,
    )


def waiting(admission: Admission, kind: MethodClass, size: int = 0) -> asyncio.Task[AdmittedCall]:
    return asyncio.create_task(admission.enter(kind, size, FOREVER, BUSY))


async def let_others_run() -> None:
    for _ in range(4 * TURNS_BETWEEN_STEPS):
        await asyncio.sleep(0)


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
