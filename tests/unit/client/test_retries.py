"""When a failed call is tried again."""

from __future__ import annotations

import pytest
from memoir.errors import DeadlineExceeded, InvalidArgument, MemoirError, Unavailable
from memoir.retries import Attempts, Deadline, Resumption, RetryPolicy


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def unavailable(retry_after: float | None = None) -> MemoirError:
    return Unavailable("away", code="UNAVAILABLE", retry_after=retry_after)


def test_the_retry_delay_of_the_server_is_used() -> None:
    assert RetryPolicy().delay(1, unavailable(retry_after=1.5)) == 1.5


def test_delays_double_up_to_a_limit_with_jitter() -> None:
    policy = RetryPolicy(attempts=20, initial_delay=0.1, longest_delay=1.0)
    for attempt, longest in ((1, 0.1), (2, 0.2), (4, 0.8), (9, 1.0)):
        delays = {policy.delay(attempt, unavailable()) for _ in range(50)}
        assert len(delays) > 1
        assert all(delay is not None and longest / 2 <= delay <= longest for delay in delays)


@pytest.mark.parametrize(
    ("code", "reason", "again"),
    [
        ("UNAVAILABLE", "ERROR_REASON_STORE_UNAVAILABLE", True),
        ("RESOURCE_EXHAUSTED", "ERROR_REASON_OVERLOADED", True),
        ("CANCELLED", "ERROR_REASON_CANCELLED", False),
        ("ABORTED", "ERROR_REASON_CONCURRENT_CHANGE", True),
        ("ABORTED", "ERROR_REASON_ETAG_MISMATCH", False),
        ("RESOURCE_EXHAUSTED", "ERROR_REASON_MODEL_QUOTA_EXHAUSTED", False),
        ("RESOURCE_EXHAUSTED", "ERROR_REASON_QUOTA_EXCEEDED", False),
        ("RESOURCE_EXHAUSTED", "ERROR_REASON_QUOTA_IN_USE", True),
        ("INVALID_ARGUMENT", "ERROR_REASON_INVALID_FIELDS", False),
        ("DEADLINE_EXCEEDED", "ERROR_REASON_DEADLINE_EXCEEDED", False),
    ],
)
def test_only_transient_errors_are_retried(code: str, reason: str, again: bool) -> None:
    error = MemoirError("failed", code=code, reason=reason)
    assert (RetryPolicy().delay(1, error) is not None) is again


def test_a_call_refused_by_grpc_itself_is_retried() -> None:
    # gRPC refused the call because the server was busy; the caller did not cancel it.
    refused = MemoirError("CANCELLED", code="CANCELLED")
    cancelled = MemoirError("Locally cancelled by application!", code="CANCELLED")
    assert RetryPolicy().delay(1, refused) is not None
    assert RetryPolicy().delay(1, cancelled) is None


def test_attempts_are_limited_and_the_last_error_is_raised() -> None:
    attempts = Attempts(RetryPolicy(attempts=3), Deadline(60, Clock()))
    last = unavailable()
    attempts.delay_after(unavailable())
    attempts.delay_after(unavailable())
    with pytest.raises(Unavailable) as caught:
        attempts.delay_after(last)
    assert caught.value is last


def test_no_attempt_is_made_beyond_the_deadline() -> None:
    clock = Clock()
    attempts = Attempts(RetryPolicy(), Deadline(2, clock))
    with pytest.raises(Unavailable):
        attempts.delay_after(unavailable(retry_after=2.0))
    clock.now += 2
    with pytest.raises(DeadlineExceeded):
        attempts.remaining()


def test_a_stream_resumes_after_its_last_event() -> None:
    stream = Resumption({"user_id": "alice"}, RetryPolicy(), Clock())
    assert stream.options() == {"user_id": "alice"}
    stream.received("c7")
    assert stream.delay_after(unavailable(retry_after=0.25)) == 0.25
    assert stream.options() == {"user_id": "alice", "cursor": "c7"}


def test_a_stream_retries_more_often_than_a_call() -> None:
    stream = Resumption({}, RetryPolicy(attempts=2, longest_delay=1.0), Clock())
    assert all(0 < stream.delay_after(unavailable()) <= 1.0 for _ in range(2_000))


def test_a_stream_ends_with_a_permanent_error_and_at_its_deadline() -> None:
    clock = Clock()
    stream = Resumption({"timeout": 5}, RetryPolicy(), clock)
    with pytest.raises(InvalidArgument):
        stream.delay_after(InvalidArgument("cursor", code="INVALID_ARGUMENT"))
    clock.now += 2
    assert stream.options() == {"timeout": 3.0}
    clock.now += 3
    assert stream.options() is None
