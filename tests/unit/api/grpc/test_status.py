"""The table from errors to statuses."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from memoir.v1 import error_reason_pb2

from server.api.grpc.status import OUTCOMES, to_status
from server.core import errors, transient_errors

# Base classes that are never raised.
ABSTRACT = {errors.MemoirError, errors.NotFound, transient_errors.Retryable}
# Reasons without an exception: they are sent in another way, or not used yet.
WITHOUT_EXCEPTION = {
    "ERROR_REASON_UNSPECIFIED",
    "ERROR_REASON_INTERNAL",
}


def descendants(kind: type[errors.MemoirError]) -> Iterator[type[errors.MemoirError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from descendants(child)


def details(status: status_pb2.Status) -> dict[str, Message]:
    kinds = ("ErrorInfo", "RequestInfo", "BadRequest", "RetryInfo", "QuotaFailure")
    found: dict[str, Message] = {}
    for packed in status.details:
        for name in kinds:
            detail: Message = getattr(error_details_pb2, name)()
            if packed.Unpack(detail):
                found[name] = detail
    return found


def test_every_error_is_in_the_table() -> None:
    modules = {errors.__name__, transient_errors.__name__}
    own = {kind for kind in descendants(errors.MemoirError) if kind.__module__ in modules}
    assert own - ABSTRACT == set(OUTCOMES)


def test_every_reason_is_used_or_listed_as_unused() -> None:
    used = {error_reason_pb2.ErrorReason.Name(reason) for _, reason in OUTCOMES.values()}
    assert used | WITHOUT_EXCEPTION == set(error_reason_pb2.ErrorReason.keys())
    assert not used & WITHOUT_EXCEPTION
    assert len(used) == len(OUTCOMES)


def test_retryable_errors_have_codes_that_clients_retry() -> None:
    retried = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
    for kind, (code, _) in OUTCOMES.items():
        # A full project stays full, so a retry would be pointless.
        is_worth_it = code in retried and kind is not errors.QuotaExceeded
        assert issubclass(kind, transient_errors.Retryable) == is_worth_it


@pytest.mark.parametrize(
    ("error", "helps"),
    [
        (errors.QuotaExceeded("memories", 2), False),
        (transient_errors.QuotaInUse("streams", 2, timedelta(seconds=1)), True),
    ],
)
def test_a_quota_error_names_the_quota_and_has_a_delay_if_waiting_helps(
    error: errors.QuotaExceeded | transient_errors.QuotaInUse, helps: bool
) -> None:
    status = to_status(error, "c1")
    found = details(status)
    failure = found["QuotaFailure"]
    assert isinstance(failure, error_details_pb2.QuotaFailure)
    assert [violation.subject for violation in failure.violations] == [f"quota:{error.quota}"]
    assert ("RetryInfo" in found) == helps
    assert status.code == grpc.StatusCode.RESOURCE_EXHAUSTED.value[0]


def test_an_error_carries_its_reason_metadata_and_correlation_id() -> None:
    status = to_status(errors.Unimplemented("S/M"), "c1")
    found = details(status)
    info, request_info = found["ErrorInfo"], found["RequestInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert isinstance(request_info, error_details_pb2.RequestInfo)
    assert status.code == grpc.StatusCode.UNIMPLEMENTED.value[0]
    assert (info.domain, info.reason) == ("memoir.v1", "ERROR_REASON_UNIMPLEMENTED")
    assert dict(info.metadata) == {"method": "S/M"}
    assert request_info.request_id == "c1"
    assert set(found) == {"ErrorInfo", "RequestInfo"}


def test_violations_keep_their_order() -> None:
    error = errors.InvalidRequest([errors.FieldViolation(f, f"rule of {f}") for f in ("b", "a")])
    bad_request = details(to_status(error, "c"))["BadRequest"]
    assert isinstance(bad_request, error_details_pb2.BadRequest)
    assert [(v.field, v.description) for v in bad_request.field_violations] == [
        ("b", "rule of b"),
        ("a", "rule of a"),
    ]


def test_a_retryable_error_has_a_delay() -> None:
    error = transient_errors.ModelUnavailable("m", timedelta(milliseconds=1500))
    retry = details(to_status(error, "c"))["RetryInfo"]
    assert isinstance(retry, error_details_pb2.RetryInfo)
    assert retry.retry_delay.ToTimedelta() == timedelta(milliseconds=1500)


@pytest.mark.parametrize("error", [ValueError("secret"), errors.NotFound("secret")])
def test_an_error_outside_the_table_reveals_nothing(error: Exception) -> None:
    status = to_status(error, "c")
    info = details(status)["ErrorInfo"]
    assert isinstance(info, error_details_pb2.ErrorInfo)
    assert status.code == grpc.StatusCode.INTERNAL.value[0]
    assert info.reason == "ERROR_REASON_INTERNAL"
    assert b"secret" not in status.SerializeToString()


@pytest.mark.parametrize(
    "error",
    [
        errors.InvalidRequest([errors.FieldViolation("é" * 9000, "ü" * 9000)] * 1000),
        errors.EntityNotFound("é" * 9000),
        errors.Unimplemented("m" * 9000),
    ],
)
def test_a_status_fits_into_metadata(error: errors.MemoirError) -> None:
    status = to_status(error, "c" * 128)
    # The message is sent twice: percent-encoded as text, and in the details in base64.
    carried = 3 * len(status.message.encode()) + 4 * status.ByteSize() // 3
    assert carried < 8192


def test_violations_that_do_not_fit_are_only_counted() -> None:
    error = errors.InvalidRequest([errors.FieldViolation(f"f{i}", "x" * 90) for i in range(1000)])
    bad_request = details(to_status(error, "c"))["BadRequest"]
    assert isinstance(bad_request, error_details_pb2.BadRequest)
    shown = len(bad_request.field_violations) - 1
    assert shown > 20
    assert bad_request.field_violations[-1].description == f"and {1000 - shown} more violations"
