"""Creates projects and keys, for operators, and reads the audit log."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from server.core.clock import Clock
from server.core.errors import FieldViolation, InvalidRequest, NotFound
from server.core.values import Page, page_of
from server.memories.scope import MAX_SCOPE_ID_LENGTH, Scope
from server.projects.ports import ProjectStore
from server.projects.project import (
    ApiKey,
    AuditEvent,
    KeyRole,
    Project,
    ProjectUnknown,
    Quotas,
    StorageUse,
    key_digest,
    key_id,
    new_key,
)

MAX_ID_LENGTH = 64


def _printable(longest: int) -> str:
    return f"1 to {longest} printable characters"


def _check_id(field: str, value: str) -> None:
    if not 1 <= len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise InvalidRequest([FieldViolation(field, _printable(MAX_ID_LENGTH))])


_LONGEST_DURATION = timedelta(days=3660)


def _check_duration(field: str, value: timedelta, least: timedelta) -> None:
    if not least <= value <= _LONGEST_DURATION:
        rule = f"must be from {least.total_seconds():g} seconds to ten years"
        raise InvalidRequest([FieldViolation(field, rule)])


@dataclass(frozen=True, slots=True)
class KeyRights:
    """The role of a new key, its scope (None: the whole project), and its lifetime."""

    role: KeyRole = KeyRole.ADMIN
    scope: Scope | None = None
    lifetime: timedelta | None = None

    def require_valid(self) -> None:
        """Checks the values.

        Raises:
            InvalidRequest: the lifetime is not positive, or an id of the scope is malformed.
        """
        if self.lifetime is not None:
            _check_duration("lifetime", self.lifetime, timedelta(seconds=1))
        for field, value in self.scope.parts() if self.scope else ():
            if not 1 <= len(value) <= MAX_SCOPE_ID_LENGTH or not value.isprintable():
                raise InvalidRequest([FieldViolation(field, _printable(MAX_SCOPE_ID_LENGTH))])


class Administration:
    """Manages projects and keys. Methods raise StoreUnavailable if PostgreSQL is unreachable."""

    def __init__(self, projects: ProjectStore, clock: Clock) -> None:
        self._projects = projects
        self._clock = clock

    async def create_project(self, project_id: str, org_id: str) -> Project:
        """Creates a project.

        Raises:
            InvalidRequest: an id is malformed, or the project already exists.
        """
        _check_id("project_id", project_id)
        _check_id("org_id", org_id)
        now = self._clock.now()
        project = Project(id=project_id, org_id=org_id, create_time=now, update_time=now)
        if not await self._projects.create_project(project):
            raise InvalidRequest([FieldViolation("project_id", "this project already exists")])
        return project

    async def list_projects(self) -> list[Project]:
        """Returns all projects."""
        return await self._projects.list_projects()

    async def storage_use(self, project_id: str) -> StorageUse:
        """Returns a project's quotas and counts of its content.

        Raises:
            ProjectUnknown: there is no such project.
        """
        if await self._projects.get_project(project_id) is None:
            raise ProjectUnknown(project_id)
        return await self._projects.storage_use(project_id)

    async def set_quotas(self, project_id: str, changes: Mapping[str, int]) -> Quotas:
        """Changes the named quotas of a project, and returns all of them.

        Raises:
            ProjectUnknown: there is no such project.
            InvalidRequest: a quota is negative.
        """
        wrong = [FieldViolation(name, "0 or more") for name, n in changes.items() if n < 0]
        if wrong:
            raise InvalidRequest(wrong)
        quotas = replace((await self.storage_use(project_id)).quotas, **changes)
        if not await self._projects.set_quotas(project_id, quotas):
            raise ProjectUnknown(project_id)
        return quotas

    async def create_key(
        self,
        *,
        project_id: str | None,
        org_id: str | None,
        label: str,
        rights: KeyRights | None = None,
    ) -> tuple[ApiKey, str]:
        """Creates a key for a project, or for an organization if `project_id` is None.

        Returns its record and the secret key itself, which cannot be read again. Without `rights`
        the key is an unconfined admin key that does not expire.

        Raises:
            NotFound: there is no such project, or the organization has none.
            InvalidRequest: neither is given, the project belongs to another organization, or the
                scope or the lifetime is malformed.
        """
        rights = rights or KeyRights()
        rights.require_valid()
        key = new_key()
        owner = await self._owner(project_id, org_id)
        now = self._clock.now()
        record = ApiKey(
            id=key_id(key),
            org_id=owner,
            project_id=project_id,
            label=label,
            create_time=now,
            role=rights.role,
            scope=rights.scope,
            expire_time=None if rights.lifetime is None else now + rights.lifetime,
        )
        await self._projects.create_key(record, key_digest(key))
        return record, key

    async def _owner(self, project_id: str | None, org_id: str | None) -> str:
        if project_id is None:
            if org_id is None:
                raise InvalidRequest([FieldViolation("project_id", "name a project or an org")])
            _check_id("org_id", org_id)
            projects = await self._projects.list_projects()
            if org_id not in {project.org_id for project in projects}:
                raise NotFound(
                    f"there is no organization {org_id!r} with a project; "
                    "python -m server projects list shows all"
                )
            return org_id
        project = await self._projects.get_project(project_id)
        if project is None:
            raise ProjectUnknown(project_id)
        if org_id not in {None, project.org_id}:
            raise InvalidRequest([FieldViolation("org_id", "the project belongs to another org")])
        return project.org_id

    async def list_keys(self) -> list[ApiKey]:
        """Returns all keys without their secrets, which are not stored."""
        return await self._projects.list_keys()

    async def is_valid(self, key: str) -> bool:
        """Whether the key is valid."""
        return await self._projects.find_principal(key_digest(key)) is not None

    async def rotate_key(self, identifier: str, overlap: timedelta) -> tuple[ApiKey, str]:
        """Creates a successor with the same rights; the old key expires after `overlap`.

        The successor of a key that expires gets the same lifetime. Returns the successor's record
        and its secret key, which cannot be read again.

        Raises:
            NotFound: there is no such key, or it is no longer valid.
            InvalidRequest: the overlap is negative or longer than ten years.
        """
        _check_duration("overlap", overlap, timedelta(0))
        now = self._clock.now()
        old = {key.id: key for key in await self.list_keys()}.get(identifier)
        if old is None or not old.is_active(now):
            raise _no_active_key(identifier)
        key = new_key()
        lifetime = None if old.expire_time is None else old.expire_time - old.create_time
        successor = replace(
            old,
            id=key_id(key),
            create_time=now,
            expire_time=None if lifetime is None else now + lifetime,
            last_use_time=None,
        )
        end = now + overlap
        if not await self._projects.rotate_key(identifier, end, successor, key_digest(key)):
            raise _no_active_key(identifier)
        return successor, key

    async def revoke_key(self, identifier: str) -> None:
        """Revokes the key with this id.

        Raises:
            NotFound: there is no such key, or it has already been revoked.
        """
        if not await self._projects.revoke_key(identifier, self._clock.now()):
            raise _no_active_key(identifier)


def _no_active_key(identifier: str) -> NotFound:
    return NotFound(f"there is no active key {identifier!r}; python -m server keys list shows all")


_AUDIT_BATCH: Final = 500


class ListAuditEvents:
    """Reads a project's audit log page by page, newest event first.

    The transaction that performs an administrative or destructive act also records it.
    """

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    async def __call__(
        self, project_id: str, page_size: int, before: int = 0
    ) -> Page[AuditEvent, int]:
        """Returns the newest events before the position `before`; 0 means the newest of all.

        Raises:
            StoreUnavailable: the log cannot be read.
        """
        events = await self._projects.latest_audit_events(project_id, before, page_size + 1)
        return page_of(events, page_size, lambda event: event.position)


async def all_events(
    projects: ProjectStore, project_id: str | None, since: datetime
) -> AsyncIterator[AuditEvent]:
    """Yields all events of one project, or of all, since a time, oldest first.

    Raises:
        StoreUnavailable: the log cannot be read.
    """
    position = 0
    while batch := await projects.audit_events(project_id, since, position, _AUDIT_BATCH):
        for event in batch:
            yield event
        position = batch[-1].position
