"""Reads a project, changes its settings, and deletes it with everything in it."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from server.core.clock import Clock
from server.core.errors import ConcurrentChange, EtagMismatch, ProjectForbidden
from server.projects.authorization import CACHE_SECONDS
from server.projects.ports import ProjectStore
from server.projects.project import Project, ProjectChanges, ProjectUnknown


class GetProject:
    """Reads a project's settings."""

    def __init__(self, projects: ProjectStore) -> None:
        self._projects = projects

    async def __call__(self, project_id: str) -> Project:
        """Returns the project.

        Raises:
            ProjectForbidden: there is no project with this id.
            StoreUnavailable: PostgreSQL cannot be read.
        """
        project = await self._projects.get_project(project_id)
        if project is None:
            raise ProjectForbidden
        return project


@dataclass(frozen=True, slots=True)
class UpdateProjectCommand:
    """The settings to change, and the etag that the project must still have."""

    project_id: str
    changes: ProjectChanges
    etag: str | None = None


class UpdateProject:
    """Changes settings, which apply to memories created from then on."""

    def __init__(self, projects: ProjectStore, clock: Clock) -> None:
        self._projects = projects
        self._clock = clock

    async def __call__(self, command: UpdateProjectCommand) -> Project:
        """Returns the project after the change.

        Raises:
            ProjectForbidden: there is no project with this id.
            EtagMismatch: it has changed since the etag was read.
            ConcurrentChange: another call changed it at the same time.
            StoreUnavailable: nothing was changed.
        """
        before = await GetProject(self._projects)(command.project_id)
        if command.etag is not None and command.etag != before.etag:
            raise EtagMismatch(before.id, "project")
        # Always later than before, because the update time identifies a state.
        now = max(self._clock.now(), before.update_time + timedelta(microseconds=1))
        after = replace(command.changes.applied_to(before), update_time=now)
        if await self._projects.update_project(after, before.update_time):
            return after
        if command.etag is not None:
            raise EtagMismatch(before.id, "project")
        raise ConcurrentChange


BATCH = 1000
# After this time every server knows of the deletion, even if it cached the project just before.
SETTLING = timedelta(seconds=CACHE_SECONDS + 1)


class DeleteProject:
    """Deletes a project, batch by batch. An interrupted deletion continues when repeated."""

    def __init__(
        self, projects: ProjectStore, clock: Clock, settling: timedelta = SETTLING
    ) -> None:
        self._projects = projects
        self._clock = clock
        self._settling = settling

    async def __call__(
        self,
        project_id: str,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Counter[str]:
        """Deletes the project and returns the number of deleted rows by table.

        `on_progress` is called with the rows deleted so far and the total. The project is closed
        first. Other servers may treat it as open for up to `settling`, so a second pass deletes
        rows that were written in that time.

        Raises:
            ProjectUnknown: nothing is stored for this project.
            StoreUnavailable: deleted rows stay deleted, and the project stays closed.
        """
        if not await self._projects.begin_deletion(project_id, self._clock.now()):
            raise ProjectUnknown(project_id)
        total = await self._projects.count_rows(project_id)
        deleted: Counter[str] = Counter()

        async def sweep() -> None:
            while batch := await self._projects.delete_rows(project_id, BATCH):
                deleted.update(batch)
                on_progress(deleted.total(), max(total, deleted.total()))

        await sweep()
        await asyncio.sleep(self._settling.total_seconds())
        await sweep()
        await self._projects.finish_deletion(project_id)
        return deleted
