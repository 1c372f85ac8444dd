"""Errors of calls as JSON over HTTP, and the id under which a request is found in the logs."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping

import grpc
from aiohttp import web
from google.rpc import error_details_pb2
from grpc_status import rpc_status

CORRELATION_ID = "x-correlation-id"
# In the form that the service accepts, so that both log the same id.
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


def correlation_id(headers: Mapping[str, str]) -> str:
    """Returns the request's own correlation id if it is well-formed, else a new one."""
    brought = headers.get(CORRELATION_ID, "")
    return brought if _ID.fullmatch(brought) else secrets.token_hex(16)


_Code = grpc.StatusCode

# https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto
HTTP_STATUS: Mapping[grpc.StatusCode, int] = {
    _Code.CANCELLED: 499,
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
_INTERNAL = 500


def refused(code: grpc.StatusCode, message: str) -> web.Response:
    """A refusal by the gateway itself, as JSON."""
    return _answer(code, {"message": message})


def broken(correlation_id: str) -> web.Response:
    """A fault of the gateway itself, as JSON; the log has the details under the id."""
    body = {"message": "internal error", "correlation_id": correlation_id}
    return _answer(grpc.StatusCode.INTERNAL, body)


def failed(error: grpc.aio.AioRpcError) -> web.Response:
    """The service's error: its code, reason, correlation id and violated field rules."""
    body: dict[str, object] = {"message": error.details() or ""}
    # The types of grpcio-status cover only synchronous calls; both kinds have what it reads.
    status = rpc_status.from_call(error)
    for detail in status.details if status else ():
        info = error_details_pb2.ErrorInfo()
        request = error_details_pb2.RequestInfo()
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(info):
            body["reason"] = info.reason
        elif detail.Unpack(request):
            body["correlation_id"] = request.request_id
        elif detail.Unpack(bad):
            body["violations"] = [
                {"field": each.field, "description": each.description}
                for each in bad.field_violations
            ]
    return _answer(error.code(), body)


def _answer(code: grpc.StatusCode, body: Mapping[str, object]) -> web.Response:
    return web.json_response({"code": code.name, **body}, status=HTTP_STATUS.get(code, _INTERNAL))
