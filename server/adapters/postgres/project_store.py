"""Projects and keys on PostgreSQL."""

from __future__ import annotations

from datetime import datetime

from server.adapters.postgres.pool import Database
from server.adapters.postgres.rows import from_categories, to_api_key, to_project
from server.adapters.statements import load_statements
from server.domain.project import ApiKey, Principal, Project

SQL = load_statements("server.adapters.postgres.sql", "projects.sql")


class PostgresProjectStore:
    """Implements `server.ports.project_store.ProjectStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_principal(self, key_digest: bytes) -> Principal | None:
        """See the port."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["find_principal"], key_digest)
        return Principal(row["key_id"], row["org_id"], row["project_id"]) if row else None

    async def get_project(self, project_id: str) -> Project | None:
        """See the port."""
        async with self._database.connection() as connection:
            row = await connection.fetchrow(SQL["get_project"], project_id)
        return to_project(row) if row else None

    async def create_project(self, project: Project) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            created = await connection.fetchval(
                SQL["create_project"],
                project.id,
                project.org_id,
                project.custom_instructions,
                from_categories(project.custom_categories),
                project.default_retention_days,
                project.create_time,
                project.update_time,
                project.keeps_passages,
            )
        return created is not None

    async def update_project(self, project: Project, seen: datetime) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            updated = await connection.fetchval(
                SQL["update_project"],
                project.id,
                seen,
                project.custom_instructions,
                from_categories(project.custom_categories),
                project.default_retention_days,
                project.update_time,
                project.keeps_passages,
            )
        return updated is not None

    async def list_projects(self) -> list[Project]:
        """See the port."""
        async with self._database.connection() as connection:
            return [to_project(row) for row in await connection.fetch(SQL["list_projects"])]

    async def create_key(self, key: ApiKey, digest: bytes) -> None:
        """See the port."""
        async with self._database.connection() as connection:
            await connection.execute(
                SQL["create_key"],
                digest,
                key.id,
                key.org_id,
                key.project_id,
                key.label,
                key.create_time,
            )

    async def list_keys(self) -> list[ApiKey]:
        """See the port."""
        async with self._database.connection() as connection:
            return [to_api_key(row) for row in await connection.fetch(SQL["list_keys"])]

    async def revoke_key(self, key_id: str, now: datetime) -> bool:
        """See the port."""
        async with self._database.connection() as connection:
            return await connection.fetchval(SQL["revoke_key"], key_id, now) is not None
