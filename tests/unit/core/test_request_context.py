"""The deadline of a call, which applies to each of its steps."""

from __future__ import annotations

import asyncio
import math
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext, bounded, current_request
from tests.support.request_context import in_request


def ending_in(seconds: float) -> RequestContext:
    return RequestContext("c", time.monotonic() + seconds)


def test_the_remaining_time_ends_at_the_deadline() -> None:
    assert 300 < ending_in(400).remaining() <= 400


@pytest.mark.parametrize("late", [0.0, 1.0])
def test_no_time_remains_at_the_deadline(late: float) -> None:
    with pytest.raises(DeadlineExceeded):
        ending_in(-late).remaining()


@given(st.floats(min_value=0.001, max_value=1e6))
def test_outside_a_call_there_is_no_deadline(seconds: float) -> None:
    assert current_request().deadline == math.inf
    assert bounded(seconds) == seconds


async def test_a_step_ends_at_the_deadline_of_its_call() -> None:
    async def steps() -> tuple[float, float]:
        return bounded(1.0), bounded(900.0)

    short, long = await in_request(ending_in(400), steps)
    assert short == 1.0
    assert 300 < long <= 400


async def test_a_step_does_not_begin_after_the_deadline() -> None:
    async def step() -> float:
        return bounded(1.0)

    with pytest.raises(DeadlineExceeded):
        await in_request(ending_in(0), step)


async def test_tasks_inherit_the_call_and_calls_do_not_mix() -> None:
    async def correlation_id() -> str:
        await asyncio.sleep(0)
        return current_request().correlation_id

    async def work() -> list[str]:
        return list(await asyncio.gather(correlation_id(), correlation_id()))

    found = await asyncio.gather(
        *(in_request(RequestContext(name, math.inf), work) for name in ("one", "two"))
    )
    assert found == [["one", "one"], ["two", "two"]]
    assert current_request().correlation_id == "background"
