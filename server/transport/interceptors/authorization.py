"""A key opens its own project, or a project of its own organization."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from server.domain.project import Caller, Principal
from server.transport.convert.operations import project_of_name
from server.transport.current_caller import current_principal, enter_caller
from server.transport.interceptors.context import CallContext
from server.transport.interceptors.interceptor import CallInterceptor, Proceed
from server.transport.interceptors.method import Method

OPERATIONS_PACKAGE = "google.longrunning"

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

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if not method.is_public:
            org_id, project_id = _named(request, "org_id"), _project_named(request)
            enter_caller(await self._authorize(current_principal(), org_id, project_id))
        return await proceed(request, context)


def _project_named(request: object) -> str | None:
    if isinstance(request, Message) and request.DESCRIPTOR.file.package == OPERATIONS_PACKAGE:
        # These have no field for the project: the name of an operation begins with it.
        return project_of_name(str(getattr(request, "name", "")))
    return _named(request, "project_id")


def _named(request: object, field: str) -> str | None:
    if not isinstance(request, Message) or not _has_field(request.DESCRIPTOR, field):
        return None
    return str(getattr(request, field)) if request.HasField(field) else None


@cache
def _has_field(kind: Descriptor, field: str) -> bool:
    return field in kind.fields_by_name
