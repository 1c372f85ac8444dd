"""Reading and changing the settings of a project."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from server.domain.errors import ConcurrentChange, EtagMismatch, ProjectForbidden
from server.domain.project import Project, ProjectChanges
from server.ports.clock import Clock
from server.ports.project_store import ProjectStore


class GetProject:
    """Reads a project's settings."""

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    async def __call__(self, project_id: str) -> Project:
        """The project.

        Raises:
            ProjectForbidden: there is none of this id.
            StoreUnavailable: it cannot be read.
        """
        project = await self._projects.get_project(project_id)
        if project is None:
            raise ProjectForbidden
        return project


@dataclass(frozen=True, slots=True)
class UpdateProjectCommand:
    """Which settings to change, and the etag that the project must still have."""

    project_id: str
    changes: ProjectChanges
    etag: str | None = None


class UpdateProject:
    """Changes settings. They apply to memories that are made from then on."""

    def __init__(self, projects: ProjectStore, clock: Clock) -> None:
        self._projects = projects
        self._clock = clock

    async def __call__(self, command: UpdateProjectCommand) -> Project:
        """The project after the change.

        Raises:
            ProjectForbidden: there is none of this id.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: it changes at this moment.
            StoreUnavailable: nothing was changed.
        """
        before = await GetProject(self._projects)(command.project_id)
        if command.etag is not None and command.etag != before.etag:
            raise EtagMismatch(before.id, "project")
        # Always later than before, because the time tells one state from the next.
        now = max(self._clock.now(), before.update_time + timedelta(microseconds=1))
        after = replace(command.changes.applied_to(before), update_time=now)
        if await self._projects.update_project(after, before.update_time):
            return after
        if command.etag is not None:
            raise EtagMismatch(before.id, "project")
        raise ConcurrentChange
