"""Opens, migrates and administers the database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias, TypeVar

from server.core.clock import Clock
from server.core.errors import StoreUnavailable
from server.projects.administration import Administration, DeleteProject
from server.projects.ports import ProjectStore
from server.storage.postgres.pool import PostgresOptions, open_database
from server.storage.postgres.projects import PostgresProjectStore
from server.storage.postgres.schema import PostgresUpkeep, migrate

Opened = TypeVar("Opened")
OpenDatabase: TypeAlias = Callable[[str, PostgresOptions], AbstractAsyncContextManager[Opened]]
"""Opens something in the database with this DSN and these options."""


async def migrate_database(
    dsn: str, on_step: Callable[[str], None], service_role: str | None = None
) -> int:
    """Brings the schema up to date, and returns the number of migrations that it lacked.

    `on_step` is called with each of them. `service_role` is granted the rights that a server needs.

    Raises:
        StoreUnavailable: PostgreSQL cannot be reached.
        SchemaConflict: the database was migrated by another build.
        RoleUnknown: there is no such role.
    """
    return await migrate(
        dsn, lambda step: on_step(f"migrating to {step.version:04} {step.name}"), service_role
    )


async def is_reachable(dsn: str) -> bool:
    """Whether PostgreSQL is reachable."""
    try:
        async with open_database(dsn, PostgresOptions()) as database:
            await PostgresUpkeep(database).schema_fault()
    except StoreUnavailable:
        return False
    return True


@asynccontextmanager
async def open_project_deletion(
    dsn: str, settings: PostgresOptions
) -> AsyncIterator[DeleteProject]:
    """Opens the deletion of projects in a database."""
    async with open_database(dsn, settings) as database:
        yield DeleteProject(PostgresProjectStore(database), Clock())


@asynccontextmanager
async def open_administration(dsn: str, settings: PostgresOptions) -> AsyncIterator[Administration]:
    """Opens the administration of a database's projects and keys."""
    async with open_database(dsn, settings) as database:
        yield Administration(PostgresProjectStore(database), Clock())


@asynccontextmanager
async def open_projects(dsn: str, settings: PostgresOptions) -> AsyncIterator[ProjectStore]:
    """Opens the store of a database's projects."""
    async with open_database(dsn, settings) as database:
        yield PostgresProjectStore(database)
