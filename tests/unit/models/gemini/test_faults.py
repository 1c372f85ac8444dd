"""Converting failed requests to faults, without text of the provider."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from google.genai.errors import APIError
from hypothesis import given
from hypothesis import strategies as st

from server.models.gemini.faults import REQUEST_ERRORS, read_fault

RETRY_INFO = "type.googleapis.com/google.rpc.RetryInfo"
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def api_error(code: int, *details: object, word: str = "RESOURCE_EXHAUSTED") -> APIError:
    error = {"code": code, "message": "no", "status": word, "details": list(details)}
    return APIError(code, {"error": error})


@given(st.integers(min_value=0, max_value=10**9 - 1), st.integers(min_value=0, max_value=999))
def test_retry_info_is_read(seconds: int, milliseconds: int) -> None:
    detail = {"@type": RETRY_INFO, "retryDelay": f"{seconds}.{milliseconds:03}s"}

    delay = read_fault(api_error(429, {"@type": "other"}, detail)).retry_after

    assert delay is not None
    assert delay.total_seconds() == pytest.approx(seconds + milliseconds / 1000)


@pytest.mark.parametrize("delay", ["", "s", "-1s", "1m", "1e9s", "nans", "1.s", 5, None, ["1s"]])
def test_invalid_retry_info_is_ignored(delay: object) -> None:
    detail = {"@type": RETRY_INFO, "retryDelay": delay}

    assert read_fault(api_error(429, detail)).retry_after is None


@given(json_values)
def test_any_details_are_read(details: Any) -> None:
    error = api_error(503)
    error.details = {"error": {"details": details}}

    assert read_fault(error).retry_after is None


def test_a_body_that_is_the_status_itself_is_read() -> None:
    error = APIError(429, {"details": [{"@type": RETRY_INFO, "retryDelay": "2s"}]})

    assert read_fault(error).retry_after == timedelta(seconds=2)


@pytest.mark.parametrize(
    ("code", "passing", "quota"),
    [
        (429, True, True),
        (500, True, False),
        (502, True, False),
        (503, True, False),
        (504, True, False),
        (302, False, False),
        (400, False, False),
        (401, False, False),
        (403, False, False),
        (404, False, False),
        (501, False, False),
    ],
)
def test_the_status_decides(code: int, passing: bool, quota: bool) -> None:
    fault = read_fault(api_error(code))

    assert (fault.is_transient, fault.is_quota) == (passing, quota)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (aiohttp.ServerTimeoutError("slow"), "ServerTimeoutError"),
        (aiohttp.ClientConnectionError("refused"), "ClientConnectionError"),
        (aiohttp.ClientPayloadError("cut"), "ClientPayloadError"),
        (TimeoutError(), "TimeoutError"),
        (json.JSONDecodeError("cut", "{", 1), "JSONDecodeError"),
    ],
)
def test_transport_errors_are_transient(error: Exception, reason: str) -> None:
    fault = read_fault(error)

    assert isinstance(error, REQUEST_ERRORS)
    assert (fault.status, fault.reason, fault.is_transient) == (None, reason, True)


def test_the_most_specific_reason_is_kept() -> None:
    named = {"@type": ERROR_INFO, "reason": "API_KEY_INVALID"}

    assert read_fault(api_error(400, named, word="INVALID_ARGUMENT")).reason == "API_KEY_INVALID"
    assert read_fault(api_error(400, word="INVALID_ARGUMENT")).reason == "INVALID_ARGUMENT"


def test_text_of_the_provider_is_not_kept() -> None:
    leaking = {"@type": ERROR_INFO, "reason": "Consumer api_key:AIzaSecret suspended"}

    fault = read_fault(api_error(403, leaking, word="key AIzaSecret"))

    assert str(fault) == "403"
    assert "AIza" not in repr(fault)
