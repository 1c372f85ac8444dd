"""Finds the principal of an API key and the project of a call, and records the use of keys."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from server.core.caches import TtlCache
from server.core.clock import Clock
from server.core.errors import ApiKeyInvalid, ProjectForbidden, ProjectRequired
from server.core.transient_errors import StoreUnavailable
from server.projects.ports import ProjectStore
from server.projects.project import KEY_PREFIX, Caller, Principal, key_digest

CACHE_SECONDS = 3.0
CACHE_SIZE = 10_000


class Authenticate:
    """Finds the principal of a key.

    A key that was found is cached for 3 seconds, which saves a round trip on nearly every call and
    bounds how long a revoked or expired key still works. Unknown keys are not cached, so that
    random keys cannot fill the memory.
    """

    def __init__(
        self,
        projects: ProjectStore,
        monotonic: Callable[[], float] = time.monotonic,
        on_use: Callable[[str], None] = lambda _key_id: None,
    ) -> None:
        """`on_use` is called with the id of a key that is in use, at most once in 3 seconds."""
        self._projects = projects
        self._on_use = on_use
        self._found = TtlCache[bytes, Principal](CACHE_SECONDS, CACHE_SIZE, monotonic)

    async def __call__(self, key: str) -> Principal:
        """Returns the principal of `key`.

        Raises:
            ApiKeyInvalid: the key is malformed, unknown, revoked or expired, without saying which.
            StoreUnavailable: the keys cannot be read.
        """
        if not key.startswith(KEY_PREFIX):
            raise ApiKeyInvalid("the API key is not valid")
        digest = key_digest(key)
        principal = self._found.get(digest)
        if principal is None:
            principal = await self._projects.find_principal(digest)
            if principal is None:
                raise ApiKeyInvalid("the API key is not valid")
            self._found.put(digest, principal)
            self._on_use(principal.key_id)
        return principal


class Authorize:
    """Resolves a principal and the ids in the request to exactly one project."""

    def __init__(
        self, projects: ProjectStore, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._projects = projects
        self._org_of_project = TtlCache[str, str](CACHE_SECONDS, CACHE_SIZE, monotonic)

    async def __call__(
        self, principal: Principal, org_id: str | None, project_id: str | None
    ) -> Caller:
        """Returns the caller.

        Raises:
            ProjectForbidden: the ids do not agree with the key, or there is no such project.
            ProjectRequired: the key belongs to an organization and no project is named.
            StoreUnavailable: the projects cannot be read.
        """
        if org_id is not None and org_id != principal.org_id:
            raise ProjectForbidden
        if principal.project_id is not None:
            if project_id not in {None, principal.project_id}:
                raise ProjectForbidden
            return _caller(principal, principal.project_id)
        if project_id is None:
            raise ProjectRequired
        if await self._org_of(project_id) != principal.org_id:
            raise ProjectForbidden
        return _caller(principal, project_id)

    async def _org_of(self, project_id: str) -> str | None:
        org_id = self._org_of_project.get(project_id)
        if org_id is None:
            project = await self._projects.get_project(project_id)
            if project is None:
                return None
            org_id = project.org_id
            self._org_of_project.put(project_id, org_id)
        return org_id


def _caller(principal: Principal, project_id: str) -> Caller:
    return Caller(principal.key_id, principal.org_id, project_id, principal.scope)


FLUSH_SECONDS: Final = 10.0
"""How long uses are collected before they are written, in seconds."""


class KeyUses:
    """Collects the uses of keys and writes them in one statement, for all keys together.

    If a server crashes, the uses that it collected are lost; the next use of the key makes up for
    that.
    """

    def __init__(self, projects: ProjectStore, clock: Clock) -> None:
        self._projects = projects
        self._clock = clock
        self._uses: dict[str, datetime] = {}

    def note(self, key_id: str) -> None:
        """Notes that the key is used now."""
        self._uses[key_id] = self._clock.now()

    async def run(self) -> None:
        """Writes periodically until it is cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes the collected uses, or keeps them if PostgreSQL cannot be reached."""
        if not self._uses:
            return
        uses, self._uses = self._uses, {}
        try:
            await self._projects.record_uses(uses)
        except StoreUnavailable:
            self._uses = uses | self._uses
