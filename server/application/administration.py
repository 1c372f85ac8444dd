"""Making projects and keys, for operators."""

from __future__ import annotations

from server.domain.errors import FieldViolation, InvalidRequest, NotFound
from server.domain.project import ApiKey, Project, key_digest, key_id, new_key
from server.ports.clock import Clock
from server.ports.project_store import ProjectStore

MAX_ID_LENGTH = 64


def _check_id(field: str, value: str) -> None:
    if not 1 <= len(value) <= MAX_ID_LENGTH or not value.isprintable():
        raise InvalidRequest([FieldViolation(field, "1 to 64 printable characters")])


class Administration:
    """Projects and keys. Each method raises StoreUnavailable where PostgreSQL is away."""

    def __init__(self, projects: ProjectStore, clock: Clock) -> None:
        self._projects = projects
        self._clock = clock

    async def create_project(self, project_id: str, org_id: str) -> Project:
        """Makes a project.

        Raises:
            InvalidRequest: an id is malformed, or the project exists already.
        """
        _check_id("project_id", project_id)
        _check_id("org_id", org_id)
        now = self._clock.now()
        project = Project(id=project_id, org_id=org_id, create_time=now, update_time=now)
        if not await self._projects.create_project(project):
            raise InvalidRequest([FieldViolation("project_id", "this project exists already")])
        return project

    async def list_projects(self) -> list[Project]:
        """All projects."""
        return await self._projects.list_projects()

    async def create_key(
        self, *, project_id: str | None, org_id: str | None, label: str
    ) -> tuple[ApiKey, str]:
        """Makes a key of a project, or of an organization where `project_id` is None.

        The second value is the key itself, which cannot be read again.

        Raises:
            NotFound: there is no such project.
            InvalidRequest: neither is named, or the project is another organization's.
        """
        key = new_key()
        owner = await self._owner(project_id, org_id)
        record = ApiKey(
            id=key_id(key),
            org_id=owner,
            project_id=project_id,
            label=label,
            create_time=self._clock.now(),
        )
        await self._projects.create_key(record, key_digest(key))
        return record, key

    async def _owner(self, project_id: str | None, org_id: str | None) -> str:
        if project_id is None:
            if org_id is None:
                raise InvalidRequest([FieldViolation("project_id", "name a project or an org")])
            _check_id("org_id", org_id)
            return org_id
        project = await self._projects.get_project(project_id)
        if project is None:
            raise NotFound(f"there is no project {project_id!r}")
        if org_id not in {None, project.org_id}:
            raise InvalidRequest([FieldViolation("org_id", "the project belongs to another org")])
        return project.org_id

    async def list_keys(self) -> list[ApiKey]:
        """All keys; the keys themselves are not known any more."""
        return await self._projects.list_keys()

    async def is_valid(self, key: str) -> bool:
        """Whether the key opens something."""
        return await self._projects.find_principal(key_digest(key)) is not None

    async def revoke_key(self, identifier: str) -> None:
        """Makes the key of this id useless.

        Raises:
            NotFound: there is no such key, or it is revoked already.
        """
        if not await self._projects.revoke_key(identifier, self._clock.now()):
            raise NotFound(f"there is no key {identifier!r} that could be revoked")
