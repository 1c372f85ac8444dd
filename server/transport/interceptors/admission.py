"""No more work than the server can do, and no more of it for a project than its rate."""

from __future__ import annotations

from typing import Any

from server.domain.errors import Overloaded, RateLimited
from server.domain.project import Caller, Principal
from server.domain.request_context import current_request
from server.telemetry.metrics import ADMISSION_REFUSALS
from server.telemetry.recording import stage
from server.transport.admission import Admission
from server.transport.current_caller import current_principal
from server.transport.interceptors.authorization import Authorize
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method
from server.transport.method_classes import method_class
from server.transport.rate_limit import RateLimiter


class AdmissionInterceptor(CallInterceptor):
    """Refuses what is too much before anything is spent on reading it.

    Health and reflection are exempt: a busy server is not a dead one.
    """

    def __init__(self, admission: Admission, rate_limiter: RateLimiter) -> None:
        self._admission = admission
        self._rate_limiter = rate_limiter

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.is_public:
            return await proceed(request, context)
        if (project_id := current_principal().project_id) is not None:
            _counted(self._rate_limiter, project_id)
        streams = method.streams_requests or method.streams_responses
        kind = method_class(method.name, streams=streams)
        size = len(request) if isinstance(request, bytes) else 0
        try:
            with stage("admission", is_brief=True):
                call = await self._admission.enter(kind, size, current_request().remaining())
        except Overloaded:
            ADMISSION_REFUSALS.labels("overloaded").inc()
            raise
        try:
            return await proceed(request, context)
        finally:
            self._admission.leave(call)


def _counted(rate_limiter: RateLimiter, project_id: str) -> None:
    try:
        rate_limiter.take(project_id)
    except RateLimited:
        ADMISSION_REFUSALS.labels("rate_limited").inc()
        raise


def rate_limited(authorize: Authorize, rate_limiter: RateLimiter) -> Authorize:
    """`authorize`, which then also counts calls with an organization's key.

    Which project such a call is for is known only then.
    """

    async def authorized(
        principal: Principal, org_id: str | None, project_id: str | None
    ) -> Caller:
        caller = await authorize(principal, org_id, project_id)
        if principal.project_id is None:
            _counted(rate_limiter, caller.project_id)
        return caller

    return authorized
