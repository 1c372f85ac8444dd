"""Answers to requests that end before there is a call, each logged under the id that it carries."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Final
from uuid import uuid4

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from server.api.grpc.interceptors.observation import CORRELATION_HEADER, is_correlation_id
from server.api.grpc.status import to_status
from server.api.http.bodies import BodyRefused
from server.api.http.faults import CLIENT_CLOSED_REQUEST, Rename, failed, refused, unread
from server.core.errors import InvalidRequest, MemoirError, Unimplemented

_LONGEST_PATH: Final = 256

_log: structlog.typing.FilteringBoundLogger = structlog.get_logger("server.http")


def correlation_id(request: Request) -> str:
    """The request's own correlation id if it is well-formed, else a new one."""
    sent = request.headers.get(CORRELATION_HEADER, "")
    return sent if is_correlation_id(sent) else uuid4().hex


def unacceptable(request: Request, error: MemoirError, rename: Rename | None = None) -> Response:
    """The answer to a request that cannot become a call, as a call would answer the error."""
    id_ = correlation_id(request)
    return logged(request, failed(to_status(error, id_), id_, rename))


async def or_refusal(request: Request, answer: Awaitable[Response]) -> Response:
    """What `answer` returns; a refusal if the request cannot be read or does not become a call."""
    try:
        return await answer
    except BodyRefused as refusal:
        return logged(request, unread(refusal))
    except (InvalidRequest, Unimplemented) as error:
        return unacceptable(request, error)
    except ClientDisconnect:
        return refused(CLIENT_CLOSED_REQUEST, "the client is gone")


def unknown_path(request: Request) -> Response:
    """The answer where nothing is served."""
    return logged(request, refused(404, "there is nothing at this path"))


def unknown_method(request: Request, allowed: str) -> Response:
    """The answer to a method that the path does not have."""
    return logged(request, refused(405, f"the path has only {allowed}", headers={"Allow": allowed}))


def broken(request: Request, error: Exception) -> Response:
    """The answer to a fault of the door itself, whose cause is in the log alone."""
    id_ = correlation_id(request)
    _log.error("http.failed", path=_path(request), correlation_id=id_, exc_info=error)
    return failed(to_status(error, id_), id_)


def logged(request: Request, response: Response) -> Response:
    """Logs a refusal that no call has logged, and gives it an id to find it by if it has none."""
    id_ = response.headers.setdefault(CORRELATION_HEADER, correlation_id(request))
    _log.info("http.refused", path=_path(request), status=response.status_code, correlation_id=id_)
    return response


def _path(request: Request) -> str:
    # Not that of `request.url`, which cannot be made with every Host that a client may send.
    path: str = request.scope["path"]
    return path[:_LONGEST_PATH]
