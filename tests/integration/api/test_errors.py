"""The errors that clients receive for failed calls."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import grpc
import pytest
from google.rpc import error_details_pb2
from opentelemetry.trace import StatusCode

from server.core import errors, transient_errors
from tests.integration.api.harness import (
    AUTHORIZED,
    GENERATE,
    GET,
    WRITE,
    AddResponse,
    GetRequest,
    Harness,
    add_request,
)

SECRET = "postgresql://secret"
MEMORY = UUID(int=7)


def fails_with(error: BaseException) -> Any:
    async def add(request: Any, context: Any) -> Any:
        raise error

    return add


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
async def test_a_domain_error_is_answered_with_its_details(harness: Harness) -> None:
    harness.service.add = fails_with(errors.MemoryNotFound(MEMORY))
    outcome = await harness.call(metadata=(*AUTHORIZED, ("x-correlation-id", "c1")))
    info = outcome.detail(error_details_pb2.ErrorInfo)
    request_info = outcome.detail(error_details_pb2.RequestInfo)
    assert outcome.code is grpc.StatusCode.NOT_FOUND
    assert info is not None
    assert (info.domain, info.reason) == ("memoir.v1", "ERROR_REASON_MEMORY_NOT_FOUND")
    assert dict(info.metadata) == {"id": str(MEMORY)}
    assert request_info is not None
    assert request_info.request_id == "c1"
    assert outcome.trailer("x-correlation-id") == "c1"
    assert (await harness.log("rpc.ended"))["code"] == "NOT_FOUND"


async def test_trailers_set_before_an_error_are_kept(harness: Harness) -> None:
    async def add(request: Any, context: Any) -> Any:
        context.set_trailing_metadata((("x-deprecated", "v1.0"),))
        raise errors.ConcurrentChange

    harness.service.add = add
    outcome = await harness.call()
    assert outcome.trailer("x-deprecated") == "v1.0"
    assert outcome.reason == "CONCURRENT_CHANGE"


async def test_a_transient_error_says_when_to_retry(harness: Harness) -> None:
    harness.service.add = fails_with(transient_errors.ModelQuotaExhausted("m"))
    outcome = await harness.call()
    retry = outcome.detail(error_details_pb2.RetryInfo)
    assert outcome.code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert retry is not None
    assert retry.retry_delay.ToTimedelta().total_seconds() == 30


async def test_an_unexpected_error_tells_the_client_nothing(harness: Harness) -> None:
    harness.service.add = fails_with(ValueError(SECRET))
    outcome = await harness.call()
    assert outcome.code is grpc.StatusCode.INTERNAL
    assert outcome.reason == "INTERNAL"
    assert SECRET not in repr(outcome)
    entry = await harness.log("rpc.failed")
    assert entry["log_level"] == "error"
    assert isinstance(entry["exc_info"], ValueError)
    span = await harness.span()
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["rpc.response.status_code"] == "INTERNAL"


async def test_the_cause_of_a_domain_error_is_logged_and_not_sent(harness: Harness) -> None:
    error = transient_errors.StoreUnavailable()
    error.__cause__ = OSError(SECRET)
    harness.service.add = fails_with(error)
    outcome = await harness.call()
    assert outcome.reason == "STORE_UNAVAILABLE"
    assert SECRET not in repr(outcome)
    assert (await harness.log("rpc.refused"))["exc_info"] is error.__cause__


async def test_what_a_model_said_is_neither_sent_nor_logged(harness: Harness) -> None:
    error = errors.ExtractionFailed("m", "malformed", ["Alice is ill", "Bob too"])
    error.__cause__ = ValueError("Alice is ill")
    harness.service.add = fails_with(error)
    outcome = await harness.call()
    entry = await harness.log("extraction.failed")
    assert outcome.reason == "EXTRACTION_FAILED"
    assert (entry["problems"], entry["cause"], entry["model"]) == (2, "malformed", "m")
    assert "Alice" not in repr((outcome, harness.logs))


async def test_a_timeout_in_a_handler_is_an_exceeded_deadline(harness: Harness) -> None:
    harness.service.add = fails_with(TimeoutError())
    outcome = await harness.call()
    assert outcome.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert outcome.reason == "DEADLINE_EXCEEDED"


async def test_an_abort_by_the_handler_is_kept(harness: Harness) -> None:
    async def add(request: Any, context: Any) -> Any:
        await context.abort(grpc.StatusCode.DATA_LOSS, "gone", (("x-own", "1"),))

    harness.service.add = add
    outcome = await harness.call()
    assert (outcome.code, outcome.text) == (grpc.StatusCode.DATA_LOSS, "gone")
    assert outcome.trailer("x-own") == "1"
    assert outcome.trailer("x-correlation-id")


async def test_an_error_leaves_no_exception_event_on_the_span(harness: Harness) -> None:
    harness.service.add = fails_with(errors.MemoryNotFound(MEMORY))
    await harness.call()
    span = await harness.span()
    assert "exception" not in {event.name for event in span.events}
    assert span.status.status_code is StatusCode.UNSET
    assert (span.attributes or {})["rpc.response.status_code"] == "NOT_FOUND"


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
@pytest.mark.parametrize("method", [GENERATE, WRITE])
async def test_a_stream_can_fail_after_its_first_answer(harness: Harness, method: str) -> None:
    async def generate(request: Any, context: Any) -> Any:
        yield AddResponse(consistency_token="a")
        raise transient_errors.Overloaded

    async def write(request: Any, context: Any) -> None:
        async for response in generate(request, context):
            await context.write(response)

    harness.service.stream, harness.service.write = generate, write
    outcome = await harness.stream(method)
    assert len(outcome.responses) == 1
    assert outcome.reason == "OVERLOADED"
    assert (await harness.log("rpc.ended"))["code"] == "RESOURCE_EXHAUSTED"


async def test_a_response_that_cannot_be_written_is_an_internal_error(harness: Harness) -> None:
    async def add(request: Any, context: Any) -> Any:
        return None

    harness.service.add = add
    outcome = await harness.call()
    assert outcome.reason == "INTERNAL"


async def test_a_status_set_without_a_response_is_kept(harness: Harness) -> None:
    async def add(request: Any, context: Any) -> Any:
        context.set_code(grpc.StatusCode.OUT_OF_RANGE)

    harness.service.add = add
    outcome = await harness.call()
    assert outcome.code is grpc.StatusCode.OUT_OF_RANGE
    assert (await harness.log("rpc.ended"))["code"] == "OUT_OF_RANGE"


async def test_bytes_that_are_not_a_message_are_malformed(harness: Harness) -> None:
    outcome = await harness.call(request=b"\xff\xff\xff")
    assert outcome.code is grpc.StatusCode.INVALID_ARGUMENT
    assert outcome.reason == "MALFORMED_REQUEST"
    assert outcome.fields == [""]
    assert harness.service.requests == []


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"user_id": "@@@"}, "user_id"),
        (
            {
                "messages": [
                    {"role": "user", "content": "fine"},
                    {"role": "user", "content": "@@@"},
                ]
            },
            "messages[1].content",
        ),
        ({"metadata": {"city": "@@@"}}, 'metadata.fields["city"].string_value'),
    ],
)
async def test_a_string_that_is_not_utf8_is_named(
    harness: Harness, fields: dict[str, Any], expected: str
) -> None:
    raw = add_request(**fields).SerializeToString().replace(b"@@@", b"\xff\xfe\xfd")
    outcome = await harness.call(request=raw)
    assert outcome.code is grpc.StatusCode.INVALID_ARGUMENT
    assert outcome.reason == "MALFORMED_REQUEST"
    assert outcome.fields == [expected]


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
async def test_malformed_requests_of_streams_are_answered_too(harness: Harness) -> None:
    outcome = await harness.stream(GENERATE, request=b"\xff")
    assert outcome.reason == "MALFORMED_REQUEST"
    outcome = await harness.client_stream("/test.Streams/Echo", [add_request(), b"\xff"])
    assert len(outcome.responses) == 1
    assert outcome.reason == "MALFORMED_REQUEST"


async def test_all_violations_of_all_rules_come_in_one_answer(harness: Harness) -> None:
    request = add_request(
        messages=[{"role": "robot"}],
        includes="",
        expiration_date="2026-06-14",
        timestamp=99_999_999_999,
    )
    request.ClearField("user_id")
    request.metadata["n"] = float("nan")
    outcome = await harness.call(request=request)
    assert outcome.code is grpc.StatusCode.INVALID_ARGUMENT
    assert outcome.reason == "INVALID_FIELDS"
    assert sorted(outcome.fields) == [
        "expiration_date",
        "includes",
        "messages",
        "messages[0].role",
        "metadata.n",
        "timestamp",
        "user_id",
    ]
    assert harness.service.requests == []


async def test_more_violations_than_metadata_can_carry_are_counted(harness: Harness) -> None:
    request = add_request(messages=[{"role": "é" * 60, "name": "\n"}] * 1000)
    outcome = await harness.call(request=request)
    bad_request = outcome.detail(error_details_pb2.BadRequest)
    assert outcome.reason == "INVALID_FIELDS"
    assert bad_request is not None
    assert bad_request.field_violations[-1].description.endswith("more violations")
    carried = sum(len(key) + len(value) + 32 for key, value in outcome.trailers)
    assert carried < 8 * 1024 * 3 // 4


async def test_far_too_many_messages_are_refused_cheaply(harness: Harness) -> None:
    outcome = await harness.call(request=b"\x0a\x00" * 100_000)
    assert outcome.fields == ["messages"]


async def test_a_method_without_implementation_is_refused_after_validation(
    harness: Harness,
) -> None:
    method = "/memoir.v1.GraphService/GetEntity"
    invalid = await harness.call(method, b"")
    outcome = await harness.call(method, b"\x0a\x01e\x12\x01u")
    info = outcome.detail(error_details_pb2.ErrorInfo)
    assert invalid.reason == "INVALID_FIELDS"
    assert outcome.code is grpc.StatusCode.UNIMPLEMENTED
    assert info is not None
    assert dict(info.metadata) == {"method": method[1:]}


async def test_a_missing_method_is_unimplemented(harness: Harness) -> None:
    outcome = await harness.call("/memoir.v1.GraphService/ListRelations", b"\x0a\x01u")
    assert outcome.reason == "UNIMPLEMENTED"


@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
@pytest.mark.parametrize("method", ["/no.Such/Method", "/memoir.v1.MemoryService/Nope", "/odd"])
async def test_a_method_that_does_not_exist_is_unimplemented(harness: Harness, method: str) -> None:
    outcome = await harness.call(method, b"x")
    assert outcome.code is grpc.StatusCode.UNIMPLEMENTED
    assert outcome.reason == "UNIMPLEMENTED"
    assert outcome.trailer("x-correlation-id")
    assert (await harness.log("rpc.ended"))["code"] == "UNIMPLEMENTED"


async def test_get_memory_needs_a_uuid(harness: Harness) -> None:
    outcome = await harness.call(GET, GetRequest(id="1"))
    assert outcome.fields == ["id"]
