"""Who makes the current call, as authentication and authorization found it out."""

from __future__ import annotations

from contextvars import ContextVar

from server.domain.project import Caller, Principal

_principal: ContextVar[Principal | None] = ContextVar("principal", default=None)
_caller: ContextVar[Caller | None] = ContextVar("caller", default=None)


def enter_principal(principal: Principal) -> None:
    """Remembers whom the key of the current call stands for."""
    _principal.set(principal)


def current_principal() -> Principal:
    """Whom the key of the current call stands for.

    Raises:
        RuntimeError: the call was not authenticated.
    """
    principal = _principal.get()
    if principal is None:
        raise RuntimeError("the call was not authenticated")
    return principal


def enter_caller(caller: Caller) -> None:
    """Remembers whose data the current call may touch."""
    _caller.set(caller)


def current_caller() -> Caller:
    """Whose data the current call may touch.

    Raises:
        RuntimeError: the call was not authorized.
    """
    caller = _caller.get()
    if caller is None:
        raise RuntimeError("the call was not authorized")
    return caller


def project_or_none() -> str | None:
    """The project that the current call is for, as far as is known; None: of none.

    Before the call is authorized, or where it is not, that of its key, if the key has one.
    """
    if (caller := _caller.get()) is not None:
        return caller.project_id
    principal = _principal.get()
    return None if principal is None else principal.project_id
