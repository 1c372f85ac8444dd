"""Converts errors to JSON that Mem0's clients understand, and refuses requests without a call."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final
from uuid import uuid4

import grpc
import orjson
import structlog
from google.rpc import error_details_pb2, status_pb2
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from server.api.grpc.interceptors.observation import CORRELATION_HEADER, is_correlation_id
from server.api.grpc.status import to_status
from server.api.http.bodies import BodyRefused
from server.core.errors import InvalidRequest, MemoirError, Unimplemented

JSON: Final = "application/json"

_Code = grpc.StatusCode
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}
CLIENT_CLOSED_REQUEST: Final = 499
_METHOD_NOT_ALLOWED: Final = 405

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
HTTP_STATUS: Final[Mapping[grpc.StatusCode, int]] = {
    _Code.CANCELLED: CLIENT_CLOSED_REQUEST,
    _Code.INVALID_ARGUMENT: 400,
    _Code.FAILED_PRECONDITION: 400,
    _Code.OUT_OF_RANGE: 400,
    _Code.UNAUTHENTICATED: 401,
    _Code.PERMISSION_DENIED: 403,
    _Code.NOT_FOUND: 404,
    _Code.ALREADY_EXISTS: 409,
    _Code.ABORTED: 409,
    _Code.RESOURCE_EXHAUSTED: 429,
    _Code.UNIMPLEMENTED: 501,
    _Code.UNAVAILABLE: 503,
    _Code.DEADLINE_EXCEEDED: 504,
}

Rename = Callable[[str], str]


def error_response(
    status: status_pb2.Status, correlation_id: str, rename: Rename | None = None
) -> Response:
    """Returns the response for a call that ended with `status`.

    `rename` converts the path of a field of the contract to that of the field that was sent.
    """
    code = _CODES.get(status.code, _Code.UNKNOWN)
    details: dict[str, Any] = {"code": code.name, "message": status.message}
    headers: dict[str, str] = {}
    for detail in status.details:
        _read_detail(detail, details, headers, rename or _unchanged)
    detail = status.message
    if violations := details.get("violations"):
        detail = "; ".join(_line(each["field"], each["description"]) for each in violations)
    return json_response(HTTP_STATUS.get(code, 500), detail, details, correlation_id, headers)


def refusal_response(
    http_status: int, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Returns the response that refuses a request before a call."""
    return json_response(http_status, message, {"message": message}, "", headers or {})


def json_response(
    http_status: int,
    detail: str,
    details: Mapping[str, Any],
    correlation_id: str,
    headers: Mapping[str, str],
) -> Response:
    """Returns an error with `error`, `details` and `detail`; Mem0's clients show the last one."""
    body = {"error": _title(http_status), "details": details, "detail": detail}
    ids = {CORRELATION_HEADER: correlation_id} if correlation_id else {}
    return Response(orjson.dumps(body), http_status, media_type=JSON, headers={**headers, **ids})


def _title(http_status: int) -> str:
    if http_status == CLIENT_CLOSED_REQUEST:
        return f"{http_status} Client Closed Request"
    return f"{http_status} {HTTPStatus(http_status).phrase}"


def _read_detail(
    detail: Any, details: dict[str, Any], headers: dict[str, str], rename: Rename
) -> None:
    info = error_details_pb2.ErrorInfo()
    request = error_details_pb2.RequestInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    if detail.Unpack(info):
        details["reason"] = info.reason
        if info.metadata:
            details["metadata"] = dict(info.metadata)
    elif detail.Unpack(request):
        details["correlation_id"] = request.request_id
    elif detail.Unpack(bad):
        details["violations"] = [
            {"field": rename(each.field), "description": each.description}
            for each in bad.field_violations
        ]
    elif detail.Unpack(retry):
        seconds = retry.retry_delay.ToTimedelta().total_seconds()
        details["retry_after_seconds"] = seconds
        # The header contains whole seconds: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
        headers["Retry-After"] = str(max(1, math.ceil(seconds)))


def _line(field: str, description: str) -> str:
    return f"{field}: {description}" if field else description


def _unchanged(field: str) -> str:
    return field


_LONGEST_PATH: Final = 256

log: structlog.typing.FilteringBoundLogger = structlog.get_logger("server.http")


def correlation_id(request: Request) -> str:
    """Returns the request's correlation id if it is well-formed, else a new one."""
    sent = request.headers.get(CORRELATION_HEADER, "")
    return sent if is_correlation_id(sent) else uuid4().hex


def request_error(request: Request, error: MemoirError, rename: Rename | None = None) -> Response:
    """Returns the error of a request that cannot be converted to a call, as a call would."""
    id_ = correlation_id(request)
    return log_refusal(request, error_response(to_status(error, id_), id_, rename))


async def answer_or_refuse(request: Request, answer: Awaitable[Response]) -> Response:
    """Returns the response, or a refusal if the request cannot be read or converted to a call."""
    try:
        return await answer
    except BodyRefused as refusal:
        # The rest of the body is still on its way.
        headers = {"Connection": "close"}
        return log_refusal(
            request, refusal_response(refusal.http_status, str(refusal), headers=headers)
        )
    except (InvalidRequest, Unimplemented) as error:
        return request_error(request, error)
    except ClientDisconnect:
        return refusal_response(CLIENT_CLOSED_REQUEST, "the client disconnected")


async def no_route(request: Request, error: Exception) -> Response:
    """Returns the response for an unknown path, or for a method that the path does not have."""
    if not isinstance(error, HTTPException) or error.status_code != _METHOD_NOT_ALLOWED:
        return log_refusal(
            request,
            refusal_response(404, "there is nothing at this path; check the address"),
        )
    allowed = (error.headers or {}).get("Allow", "")
    headers = {"Allow": allowed}
    return log_refusal(
        request, refusal_response(405, f"the path supports only {allowed}", headers=headers)
    )


async def door_fault(request: Request, error: Exception) -> Response:
    """Returns the response for a fault of the door itself, and logs the cause."""
    id_ = correlation_id(request)
    log.error("http.failed", path=_path(request), correlation_id=id_, exc_info=error)
    return error_response(to_status(error, id_), id_)


def log_refusal(request: Request, response: Response) -> Response:
    """Logs a refusal that no call has logged; it gets a correlation id if it has none."""
    id_ = response.headers.setdefault(CORRELATION_HEADER, correlation_id(request))
    log.info("http.refused", path=_path(request), status=response.status_code, correlation_id=id_)
    return response


def _path(request: Request) -> str:
    # Not from `request.url`, which cannot be built from every Host that a client may send.
    path: str = request.scope["path"]
    return path[:_LONGEST_PATH]
