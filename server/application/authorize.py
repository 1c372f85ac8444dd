"""Telling which project a call may touch."""

from __future__ import annotations

import time
from collections.abc import Callable

from server.application.authenticate import CACHE_SECONDS, CACHE_SIZE
from server.application.ttl_cache import TtlCache
from server.domain.errors import ProjectForbidden, ProjectRequired
from server.domain.project import Caller, Principal
from server.ports.project_store import ProjectStore


class Authorize:
    """Resolves a principal and what the request names to exactly one project."""

    def __init__(
        self, projects: ProjectStore, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._projects = projects
        self._org_of_project = TtlCache[str, str](CACHE_SECONDS, CACHE_SIZE, monotonic)

    async def __call__(
        self, principal: Principal, org_id: str | None, project_id: str | None
    ) -> Caller:
        """The caller.

        Raises:
            ProjectForbidden: the names do not agree with the key, or there is no such project.
            ProjectRequired: the key is an organization's and no project is named.
            StoreUnavailable: the projects cannot be read.
        """
        if org_id is not None and org_id != principal.org_id:
            raise ProjectForbidden
        if principal.project_id is not None:
            if project_id not in {None, principal.project_id}:
                raise ProjectForbidden
            return Caller(principal.key_id, principal.org_id, principal.project_id)
        if project_id is None:
            raise ProjectRequired
        if await self._org_of(project_id) != principal.org_id:
            raise ProjectForbidden
        return Caller(principal.key_id, principal.org_id, project_id)

    async def _org_of(self, project_id: str) -> str | None:
        org_id = self._org_of_project.get(project_id)
        if org_id is None:
            project = await self._projects.get_project(project_id)
            if project is None:
                return None
            org_id = project.org_id
            self._org_of_project.put(project_id, org_id)
        return org_id
