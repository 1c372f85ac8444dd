"""Converting the status of a call to an exception."""

from __future__ import annotations

from datetime import timedelta

import grpc
import pytest
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from memoir import errors


def status(code: str, *details: Message) -> status_pb2.Status:
    status_message = status_pb2.Status(code=code_pb2.Code.Value(code), message="no")
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status_message.details.append(packed)
    return status_message


class Failed:
    """An error as grpc raises it."""

    def __init__(self, code: grpc.StatusCode, trailing: tuple[tuple[str, bytes], ...]) -> None:
        self._code = code
        self._trailing = trailing

    def code(self) -> grpc.StatusCode:
        return self._code

    def details(self) -> str | None:
        return "plain"

    def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
        return self._trailing


@pytest.mark.parametrize(
    "code", [code for code in grpc.StatusCode if code is not grpc.StatusCode.OK], ids=str
)
def test_every_code_has_a_class(code: grpc.StatusCode) -> None:
    error = errors.from_rpc_error(Failed(code, ()))
    assert type(error) is not errors.MemoirError
    assert (error.code, error.message) == (code.name, "plain")


def test_details_are_readable() -> None:
    delay = duration_pb2.Duration()
    delay.FromTimedelta(timedelta(seconds=1.5))
    told = status(
        "INVALID_ARGUMENT",
        error_details_pb2.ErrorInfo(reason="INVALID_FIELDS", metadata={"field": "x"}),
        error_details_pb2.RequestInfo(request_id="corr-1"),
        error_details_pb2.RetryInfo(retry_delay=delay),
        error_details_pb2.BadRequest(
            field_violations=[
                error_details_pb2.BadRequest.FieldViolation(field="user_id", description="too long")
            ]
        ),
    )
    trailing = (("grpc-status-details-bin", told.SerializeToString()),)
    error = errors.from_rpc_error(Failed(grpc.StatusCode.INVALID_ARGUMENT, trailing))
    assert isinstance(error, errors.InvalidArgument)
    assert error.violations == (errors.Violation("user_id", "too long"),)
    assert (error.reason, error.metadata) == ("INVALID_FIELDS", {"field": "x"})
    assert (error.retry_after, error.correlation_id) == (1.5, "corr-1")
    assert str(error).splitlines() == [
        "INVALID_ARGUMENT: no",
        "  user_id: too long",
        "  correlation id: corr-1",
    ]


def test_an_unknown_code_is_also_an_error() -> None:
    error = errors.from_status(status_pb2.Status(code=99, message="odd"))
    assert (error.code, str(error)) == ("UNKNOWN", "UNKNOWN: odd")
