"""Identity: the owner of a call's key, the project that the call may access, and quotas."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from functools import cache
from typing import Any, TypeAlias

from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message

from server.api.grpc.access_rules import MethodClass
from server.api.grpc.convert.operations import project_of_name
from server.api.grpc.interceptors.context import CallContext, CallInterceptor, Method, Proceed
from server.core.request_context import enter_project
from server.projects.project import Caller, Principal
from server.projects.quotas import ProjectQuotas

_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def enter_principal(principal: Principal) -> None:
    """Sets the owner of the current call's key."""
    _principal.set(principal)


def current_principal() -> Principal:
    """Returns the owner of the current call's key.

    Raises:
        RuntimeError: the call was not authenticated.
    """
    principal = _principal.get()
    if principal is None:
        raise RuntimeError("the call was not authenticated")
    return principal


def enter_caller(caller: Caller) -> None:
    """Sets the caller whose data the current call may access."""
    _caller.set(caller)


def current_caller() -> Caller:
    """Returns the caller whose data the current call may access.

    Raises:
        RuntimeError: the call was not authorized.
    """
    caller = _caller.get()
    if caller is None:
        raise RuntimeError("the call was not authorized")
    return caller


def project_or_none() -> str | None:
    """Returns the project of the current call, or None if it has none or it is not known.

    As long as the call is not authorized, this is the project of its key, if the key has one.
    """
    if (caller := _caller.get()) is not None:
        return caller.project_id
    principal = _principal.get()
    return None if principal is None else principal.project_id


OPERATIONS_PACKAGE = "google.longrunning"

Authorize: TypeAlias = Callable[[Principal, str | None, str | None], Awaitable[Caller]]


class AuthorizationInterceptor(CallInterceptor):
    """Decides which project the call may access.

    A client stream acts on the key's own project, because it has no single request that could name
    another project.
    """

    def __init__(self, authorize: Authorize, quotas: ProjectQuotas | None = None) -> None:
        """`authorize` takes the principal, and `org_id` and `project_id` of the request if given.

        It raises ProjectForbidden or ProjectRequired. `quotas` enforces the quotas of projects.
        """
        self._authorize = authorize
        self._quotas = quotas

    async def intercept(
        self, method: Method, request: Any, context: CallContext, proceed: Proceed
    ) -> Any:
        if method.is_public:
            return await proceed(request, context)
        org_id, project_id = _named(request, "org_id"), _project_named(request)
        caller = await self._authorize(current_principal(), org_id, project_id)
        enter_caller(caller)
        enter_project(caller.project_id)
        if self._quotas is None:
            return await proceed(request, context)
        is_stream = method.kind is MethodClass.STREAM
        use = await self._quotas.enter(
            caller.project_id, is_stream=is_stream, stores=method.access.stores
        )
        try:
            return await proceed(request, context)
        finally:
            use.leave(is_stream=is_stream)


def _project_named(request: object) -> str | None:
    if isinstance(request, Message) and request.DESCRIPTOR.file.package == OPERATIONS_PACKAGE:
        # These have no field for the project, because the name of an operation begins with it.
        return project_of_name(str(getattr(request, "name", "")))
    return _named(request, "project_id")


def _named(request: object, field: str) -> str | None:
    if not isinstance(request, Message) or not _has_field(request.DESCRIPTOR, field):
        return None
    return str(getattr(request, field)) if request.HasField(field) else None


@cache
def _has_field(kind: Descriptor, field: str) -> bool:
    return field in kind.fields_by_name
