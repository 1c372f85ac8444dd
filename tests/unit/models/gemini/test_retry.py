"""Retries: when, how often, and never beyond the deadline."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import aiohttp
import pytest
from google.genai.errors import APIError
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from server.core.errors import DeadlineExceeded
from server.core.request_context import RequestContext
from server.core.transient_errors import ModelQuotaExhausted, ModelUnavailable
from server.models.gemini.faults import GeminiFault
from server.models.gemini.retry import Retrier, RetryPolicy
from tests.support.request_context import in_request

MODEL = "gemini/some-model"
FOREVER = float("inf")
DEFAULT = RetryPolicy()
# How much of the remaining time may pass before it is read on a slow machine, in seconds.
SLACK = 5.0

chances = st.floats(min_value=0, max_value=1, exclude_max=True)
waits = st.integers(min_value=0, max_value=10**9).map(lambda milliseconds: milliseconds / 1000)


class Script:
    """Fails with each of `errors` in turn, then succeeds; records the pauses in between."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0
        self.slept: list[float] = []

    async def send(self) -> str:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return "done"

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def retrier(self, policy: RetryPolicy = DEFAULT, jitter: float = 0.5) -> Retrier:
        return Retrier(policy, self.sleep, lambda: jitter)


def api_error(code: int, retry_after: float | None = None) -> APIError:
    kind = "type.googleapis.com/google.rpc.RetryInfo"
    details = [] if retry_after is None else [{"@type": kind, "retryDelay": f"{retry_after:.3f}s"}]
    return APIError(code, {"error": {"code": code, "details": details}})


def running(
    retrier: Retrier, send: Callable[[], Awaitable[str]], seconds: float = FOREVER
) -> Awaitable[str]:
    context = RequestContext("test", time.monotonic() + seconds)
    return in_request(context, lambda: retrier.run(MODEL, send))


@given(st.integers(min_value=1, max_value=60), chances, waits)
def test_a_delay_is_the_requested_one_plus_a_limited_backoff(
    attempt: int, jitter: float, asked: float
) -> None:
    policy = RetryPolicy(base_delay=0.25, max_delay=8.0)

    delay = policy.delay(attempt, jitter, timedelta(seconds=asked))

    longest = min(8.0, 0.25 * 2 ** (attempt - 1))
    assert delay - asked == pytest.approx(jitter * longest, abs=1e-5)


@given(chances)
def test_backoff_doubles_up_to_its_limit(jitter: float) -> None:
    policy = RetryPolicy(base_delay=1.0, max_delay=4.0)

    delays = [policy.delay(attempt, jitter) for attempt in range(1, 6)]

    assert delays == pytest.approx([jitter * factor for factor in (1, 2, 4, 4, 4)])


async def test_a_success_is_not_repeated() -> None:
    script = Script()

    assert await running(script.retrier(), script.send) == "done"
    assert (script.calls, script.slept) == (1, [])


@pytest.mark.parametrize(
    "error",
    [
        *(api_error(code) for code in (429, 500, 502, 503, 504)),
        aiohttp.ServerTimeoutError("slow"),
        aiohttp.ClientPayloadError("cut"),
        TimeoutError(),
        ValueError("no JSON"),
    ],
)
async def test_a_transient_fault_is_retried(error: Exception) -> None:
    script = Script(error, error)

    assert await running(script.retrier(), script.send) == "done"
    assert script.slept == [0.125, 0.25]


async def test_attempts_are_limited() -> None:
    script = Script(*(api_error(503) for _ in range(10)))

    with pytest.raises(ModelUnavailable) as caught:
        await running(script.retrier(RetryPolicy(attempts=3)), script.send)

    assert (script.calls, len(script.slept)) == (3, 2)
    assert caught.value.metadata == {"model": MODEL}


@pytest.mark.parametrize("code", [400, 401, 403, 404])
async def test_a_configuration_fault_is_raised_at_once(code: int) -> None:
    script = Script(api_error(code))

    with capture_logs() as logs, pytest.raises(ModelUnavailable) as caught:
        await running(script.retrier(), script.send)

    assert script.calls == 1
    assert caught.value.retry_after == timedelta(minutes=1)
    assert [(log["event"], log["log_level"], log["status"]) for log in logs] == [
        ("gemini_call.refused", "error", code)
    ]


async def test_the_delay_of_retry_info_is_used() -> None:
    script = Script(api_error(429, retry_after=3))

    await running(script.retrier(jitter=0), script.send)

    assert script.slept == [3.0]


async def test_an_exhausted_quota_has_a_retry_delay() -> None:
    script = Script(*(api_error(429, retry_after=7) for _ in range(2)))

    with pytest.raises(ModelQuotaExhausted) as caught:
        await running(script.retrier(RetryPolicy(attempts=2)), script.send)

    assert caught.value.retry_after == timedelta(seconds=7)


async def test_a_delay_that_is_too_long_is_not_waited_for() -> None:
    script = Script(api_error(503, retry_after=31))

    with pytest.raises(ModelUnavailable) as caught:
        await running(script.retrier(RetryPolicy(longest_wait=30)), script.send)

    assert script.slept == []
    assert caught.value.retry_after == timedelta(seconds=31)


@given(waits, st.floats(min_value=1, max_value=1e6))
async def test_no_pause_goes_beyond_the_deadline(asked: float, left: float) -> None:
    script = Script(api_error(429, retry_after=asked))
    patient = RetryPolicy(longest_wait=FOREVER)

    try:
        await running(script.retrier(patient, jitter=0), script.send, seconds=left)
    except ModelQuotaExhausted:
        assert asked > left - SLACK
        assert script.slept == []
    else:
        assert script.slept == [asked]
        assert asked < left


async def test_a_passed_deadline_is_raised_as_such() -> None:
    script = Script(api_error(503))

    with pytest.raises(DeadlineExceeded):
        await running(script.retrier(), script.send, seconds=-1)

    assert script.slept == []


async def test_a_configuration_fault_is_raised_even_at_the_deadline() -> None:
    script = Script(api_error(404))

    with capture_logs() as logs, pytest.raises(ModelUnavailable):
        await running(script.retrier(), script.send, seconds=-1)

    assert [log["event"] for log in logs] == ["gemini_call.refused"]


async def test_the_cause_is_the_fault_and_not_the_original_error() -> None:
    script = Script(api_error(404))

    with pytest.raises(ModelUnavailable) as caught:
        await running(script.retrier(), script.send)

    assert isinstance(caught.value.__cause__, GeminiFault)
    assert caught.value.__cause__.__context__ is None
    assert not isinstance(caught.value.__context__, APIError)
