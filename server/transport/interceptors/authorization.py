"""A key opens its own project, or a project of its own organization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from google.protobuf.message import Message

from server.domain.project import Caller, Principal
from server.transport.current_caller import current_principal, enter_caller
from server.transport.interceptors.context import Context
from server.transport.interceptors.handlers import Call, CallInterceptor, Proceed

Authorize: TypeAlias = Callable[[Principal, str | None, str | None], Awaitable[Caller]]


class AuthorizationInterceptor(CallInterceptor):
    """Finds out which project the call may touch.

    A client stream acts on the key's own project: it has no one request to name another.
    """

    def __init__(self, authorize: Authorize) -> None:
        """`authorize` takes principal, `org_id` and `project_id` of the request, where given.

        It raises ProjectForbidden or ProjectRequired.
        """
        self._authorize = authorize

    async def intercept(self, call: Call, request: Any, context: Context, proceed: Proceed) -> Any:
        if not call.is_public:
            org_id, project_id = _named(request, "org_id"), _named(request, "project_id")
            enter_caller(await self._authorize(current_principal(), org_id, project_id))
        return await proceed(request, context)


def _named(request: object, field: str) -> str | None:
    if not isinstance(request, Message) or field not in request.DESCRIPTOR.fields_by_name:
        return None
    return str(getattr(request, field)) if request.HasField(field) else None
