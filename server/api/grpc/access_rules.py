"""The class of each method, the role that it needs, and the methods that a confined key may call.

A key may be confined to a scope, such as one user. The scope is then filled into the key's
requests, which see and change nothing outside of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from typing import Any, Final

from server.core.errors import RoleRequired, ScopeForbidden
from server.projects.project import KeyRole, Principal


class Reach(Enum):
    """The reach of a request, which decides whether a confined key may send it."""

    SCOPE = auto()
    """A scope: the key's scope is filled in, and another scope is refused."""

    BY_ID = auto()
    """Memories or operations by id: the use case finds only those in the key's scope."""

    PROJECT = auto()
    """The whole project: refused."""

    NO_DATA = auto()
    """No memories or operations: permitted."""


@dataclass(frozen=True, slots=True)
class Access:
    """The access that a method needs. `without_user` is the role for requests that name no user.

    A method that `stores` adds memories, so storage quotas apply to it.
    """

    role: KeyRole
    reach: Reach
    without_user: KeyRole | None = None
    stores: bool = False

    def require(self, principal: Principal) -> None:
        """Checks what can be checked before the request is read.

        Raises:
            RoleRequired: the key's role does not permit the method.
            ScopeForbidden: the key is confined, and the method concerns the whole project.
        """
        if not principal.role.permits(self.role):
            raise RoleRequired(self.role)
        if self.reach is Reach.PROJECT and principal.scope is not None:
            raise ScopeForbidden

    def confine(self, principal: Principal, request: Any) -> None:
        """Fills the scope of a confined key into the request, and checks the request.

        Raises:
            RoleRequired: the request names no user, and the key's role does not permit that.
            ScopeForbidden: the request names another scope than the key's.
        """
        if self.reach is Reach.SCOPE and principal.scope is not None:
            for field, value in principal.scope.parts():
                if not request.HasField(field):
                    setattr(request, field, value)
                elif getattr(request, field) != value:
                    raise ScopeForbidden(field)
        if (
            self.without_user is not None
            and not request.HasField("user_id")
            and not principal.role.permits(self.without_user)
        ):
            raise RoleRequired(self.without_user)


_MEMORIES = {
    "AddMemories": Access(KeyRole.WRITE, Reach.SCOPE, stores=True),
    "SearchMemories": Access(KeyRole.READ, Reach.SCOPE),
    "GetMemory": Access(KeyRole.READ, Reach.BY_ID),
    "ListMemories": Access(KeyRole.READ, Reach.SCOPE),
    "UpdateMemory": Access(KeyRole.WRITE, Reach.BY_ID),
    "DeleteMemory": Access(KeyRole.WRITE, Reach.BY_ID),
    "RestoreMemory": Access(KeyRole.WRITE, Reach.BY_ID, stores=True),
    "BatchUpdateMemories": Access(KeyRole.WRITE, Reach.BY_ID),
    "BatchDeleteMemories": Access(KeyRole.WRITE, Reach.BY_ID),
    "DeleteMemories": Access(KeyRole.WRITE, Reach.SCOPE, without_user=KeyRole.ADMIN),
    "ListMemoryEvents": Access(KeyRole.READ, Reach.BY_ID),
    "ListScopes": Access(KeyRole.READ, Reach.PROJECT),
    "DeleteScope": Access(KeyRole.ADMIN, Reach.PROJECT),
    "WatchMemoryEvents": Access(KeyRole.READ, Reach.SCOPE),
}
_GRAPH = {
    "ListRelations": Access(KeyRole.READ, Reach.SCOPE),
    "GetEntity": Access(KeyRole.READ, Reach.SCOPE),
    "ListEntities": Access(KeyRole.READ, Reach.SCOPE),
    "FindPaths": Access(KeyRole.READ, Reach.SCOPE),
}
_PROJECT = {
    "GetProject": Access(KeyRole.READ, Reach.NO_DATA),
    "UpdateProject": Access(KeyRole.ADMIN, Reach.PROJECT),
}
_AUDIT = {
    "ListAuditEvents": Access(KeyRole.ADMIN, Reach.PROJECT),
}
_STATISTICS = {
    "GetStatistics": Access(KeyRole.READ, Reach.PROJECT),
    "WatchStatistics": Access(KeyRole.READ, Reach.PROJECT),
}
_OPERATIONS = {
    "GetOperation": Access(KeyRole.READ, Reach.BY_ID),
    "ListOperations": Access(KeyRole.READ, Reach.BY_ID),
    "WaitOperation": Access(KeyRole.READ, Reach.BY_ID),
    "CancelOperation": Access(KeyRole.WRITE, Reach.BY_ID),
    "DeleteOperation": Access(KeyRole.WRITE, Reach.BY_ID),
}

ACCESS: Final[Mapping[str, Access]] = {
    f"{service}/{method}": access
    for service, methods in {
        "memoir.v1.MemoryService": _MEMORIES,
        "memoir.v1.GraphService": _GRAPH,
        "memoir.v1.ProjectService": _PROJECT,
        "memoir.v1.AuditService": _AUDIT,
        "memoir.v1.StatisticsService": _STATISTICS,
        "google.longrunning.Operations": _OPERATIONS,
    }.items()
    for method, access in methods.items()
}
"""The access that each method of the contract needs, by `package.Service/Method`."""

_UNLISTED = Access(KeyRole.ADMIN, Reach.PROJECT)


def access_to(method: str) -> Access:
    """Returns the access that a method needs; the highest if it is not in the table."""
    return ACCESS.get(method, _UNLISTED)


_READING_VERBS = ("Get", "List", "Search", "Find")
# Methods whose calls last as long as clients want, at almost no cost.
_WAITING_METHODS = frozenset({"google.longrunning.Operations/WaitOperation"})


class MethodClass(StrEnum):
    """The class of a method. Reads precede writes; streams only wait and are counted separately.

    A write whose request is large is admitted as LARGE: it takes many times as long as others.
    """

    READ = "read"
    WRITE = "write"
    LARGE = "large"
    STREAM = "stream"


def method_class(name: str, *, streams: bool) -> MethodClass:
    """Returns the class of `package.Service/Method`; `streams` is whether either side streams.

    Methods are named as in the API Improvement Proposals (AIP-130), so the verb is sufficient.
    """
    if streams or name in _WAITING_METHODS:
        return MethodClass.STREAM
    if name.partition("/")[2].startswith(_READING_VERBS):
        return MethodClass.READ
    return MethodClass.WRITE
