"""Admits calls: with a valid key, before their deadline, and within the server's capacity."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

from server.api.grpc.access_rules import MethodClass
from server.api.grpc.admission import Admission
from server.api.grpc.interceptors.access import Authorize, enter_principal
from server.api.grpc.interceptors.context import (
    CallContext,
    CallInterceptor,
    Metadata,
    Method,
    Proceed,
)
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.rate_limit import RateLimiter
from server.core.errors import ApiKeyInvalid, DeadlineExceeded, MemoirError
from server.core.request_context import Origin, current_request, enter_origin, enter_request
from server.core.transient_errors import Overloaded, StoreUnavailable
from server.projects.project import Caller, Principal
from server.telemetry.metrics import ADMISSION_REFUSALS
from server.telemetry.recording import stage

Authenticate: TypeAlias = Callable[[str], Awaitable[Principal]]

_CREDENTIALS = re.compile(r"(?:token|bearer) +(?P<key>[!-~]{1,512})", re.IGNORECASE)
# The same text for every failure, so that it reveals nothing about a key.
_REFUSAL = "the call carries no valid API key"
# Together with the time for which keys are cached, this bounds the life of a revoked key's stream.
_STREAM_CHECK_SECONDS = 2.0


class EntryInterceptor(CallInterceptor):
    """Admits a call and bounds its time, or refuses it before reading it.

    In this order: a draining server admits no calls; a call is bounded by its client's deadline,
    else by the server's default; the metadata `authorization: Token <key>` must hold a valid key
    whose role permits the method; and the server's capacity and the project's rate must allow it.

    Health and reflection bypass all of this, so a busy or draining server still answers its
    probes. Server streams have no default deadline: they last as long as the client wants. gRPC
    itself ends a call at its client's deadline. The key of a stream is checked again every two
    seconds, so that a stream ends soon after its key was revoked.
    """

    def __init__(
        self,
        gate: DrainGate,
        default_seconds: float,
        authenticate: Authenticate,
        admission: Admission,
        rate_limiter: RateLimiter,
    ) -> None:
        """`authenticate` takes a key and raises ApiKeyInvalid if it is not valid.

        `default_seconds` bounds calls whose client sets no deadline.
        """
        self._gate = gate
        self._default_seconds = default_seconds
        self._authenticate = authenticate
        self._admission = admission
        self._rate_limiter = rate_limiter

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        # gRPC returns None if the client set no deadline, contrary to its type.
        remaining: float | None = context.time_remaining()
        if method.is_public:
            if remaining is not None:
                _enter_deadline(remaining)
            return await proceed(request, context)
        with self._gate.admitted():
            if remaining is None and not method.streams_responses:
                _enter_deadline(self._default_seconds)
                call = self._admitted(method, request, context, proceed)
                end = asyncio.timeout(self._default_seconds)
                return await _until(end, call, DeadlineExceeded)
            if remaining is not None:
                _enter_deadline(remaining)
            return await self._admitted(method, request, context, proceed)

    async def _admitted(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        with stage("authenticate", is_brief=True):
            principal = await self._principal(context.invocation_metadata())
            enter_principal(principal)
            enter_origin(Origin(principal.key_id, context.peer()))
            method.access.require(principal)
        if principal.project_id is not None:
            self._rate_limiter.take(principal.project_id)
        size = len(request) if isinstance(request, bytes) else 0
        tenant = principal.project_id or principal.org_id
        try:
            with stage("admission", is_brief=True):
                remaining = current_request().remaining()
                call = await self._admission.enter(method.kind, size, remaining, tenant)
        except Overloaded:
            ADMISSION_REFUSALS.labels("overloaded").inc()
            raise
        try:
            if method.kind is MethodClass.STREAM:
                metadata = context.invocation_metadata()
                return await self._while_key_is_valid(metadata, proceed(request, context))
            return await proceed(request, context)
        finally:
            self._admission.leave(call)

    async def _principal(self, metadata: Metadata) -> Principal:
        try:
            return await self._authenticate(_key(metadata))
        except ApiKeyInvalid:
            raise ApiKeyInvalid(_REFUSAL) from None

    async def _while_key_is_valid(self, metadata: Metadata, call: Awaitable[Any]) -> Any:
        end = asyncio.timeout(None)
        checks = asyncio.create_task(self._end_when_revoked(metadata, end), name="key-checks")
        try:
            return await _until(end, call, partial(ApiKeyInvalid, _REFUSAL))
        finally:
            checks.cancel()

    async def _end_when_revoked(self, metadata: Metadata, end: asyncio.Timeout) -> None:
        while True:
            await asyncio.sleep(_STREAM_CHECK_SECONDS)
            try:
                # Streams continue while the keys cannot be read.
                with suppress(StoreUnavailable):
                    await self._principal(metadata)
            except ApiKeyInvalid:
                end.reschedule(asyncio.get_running_loop().time())
                return


def _key(metadata: Metadata) -> str:
    values = [value for key, value in metadata if key == "authorization"]
    if len(values) != 1 or not isinstance(values[0], str):
        raise ApiKeyInvalid(_REFUSAL)
    credentials = _CREDENTIALS.fullmatch(values[0])
    if credentials is None:
        raise ApiKeyInvalid(_REFUSAL)
    return credentials["key"]


def _enter_deadline(seconds: float) -> None:
    """Gives the call this much time.

    Raises:
        DeadlineExceeded: no time is left.
    """
    limited = current_request().until(time.monotonic() + seconds)
    enter_request(limited)
    limited.remaining()  # raises if the deadline has passed


async def _until(
    end: asyncio.Timeout, call: Awaitable[Any], refusal: Callable[[], MemoirError]
) -> Any:
    """Returns the outcome of a call; raises `refusal` if `end` comes first."""
    try:
        async with end:
            return await call
    except TimeoutError as error:
        if end.expired():
            raise refusal() from error
        raise


def rate_limited(authorize: Authorize, rate_limiter: RateLimiter) -> Authorize:
    """Wraps `authorize` so that it also counts calls with an organization's key.

    Their project is known only after authorization.
    """

    async def authorized(
        principal: Principal, org_id: str | None, project_id: str | None
    ) -> Caller:
        caller = await authorize(principal, org_id, project_id)
        if principal.project_id is None:
            rate_limiter.take(caller.project_id)
        return caller

    return authorized
