"""Keeping projects and the keys that open them."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from server.domain.project import ApiKey, Principal, Project


class ProjectStore(Protocol):
    """Tenants. Every method raises StoreUnavailable where PostgreSQL cannot be reached."""

    async def find_principal(self, key_digest: bytes) -> Principal | None:
        """Whom the key with this digest stands for; None if it is unknown or revoked."""
        ...

    async def get_project(self, project_id: str) -> Project | None:
        """The project, if there is one of this id."""
        ...

    async def create_project(self, project: Project) -> bool:
        """Stores a new project; False if the id is taken, and then nothing changes."""
        ...

    async def update_project(self, project: Project, seen: datetime) -> bool:
        """Stores the project's settings; False unless its update time is still `seen`."""
        ...

    async def list_projects(self) -> list[Project]:
        """All projects, by organization and id."""
        ...

    async def create_key(self, key: ApiKey, digest: bytes) -> None:
        """Stores a new key by its digest."""
        ...

    async def list_keys(self) -> list[ApiKey]:
        """All keys, revoked ones too, by organization, project and creation."""
        ...

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """Makes a key useless from now on; False if there is no such key or it is revoked."""
        ...
