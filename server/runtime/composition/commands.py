"""Composes the commands of the command line, which administer databases and move projects.

All of them raise StoreUnavailable if the database cannot be reached. Commands that work on whole
projects and stores raise StoreUnready if the schema is outdated. Those that embed texts raise
SettingsFault if the models cannot be opened, and imports raise StoreUnready if another embedder
wrote the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TypeAlias, TypeVar

from server.core.clock import Clock
from server.core.transient_errors import StoreUnavailable
from server.maintenance import Reembed, require_ready
from server.models.ports import Embedder
from server.operations.ports import Operations
from server.projects.administration import Administration
from server.projects.archive.export_import import ExportProject, ImportMem0, ImportProject
from server.projects.manage_project import DeleteProject
from server.projects.ports import ProjectStore
from server.runtime.composition.models import open_models
from server.runtime.settings import Settings
from server.storage.postgres.archive import open_mem0_table
from server.storage.postgres.operations import PostgresOperations
from server.storage.postgres.pool import PostgresOptions, open_database
from server.storage.postgres.projects import PostgresProjectStore
from server.storage.postgres.schema import PostgresMaintenance, migrate
from server.storage.postgres.vector_index import PostgresSearchIndexing

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
            await PostgresMaintenance(database).schema_fault()
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


@asynccontextmanager
async def open_operations(dsn: str, settings: PostgresOptions) -> AsyncIterator[Operations]:
    """Opens the operations of a database."""
    async with open_database(dsn, settings) as database:
        yield PostgresOperations(database)


@asynccontextmanager
async def open_export(settings: Settings, dsn: str) -> AsyncIterator[ExportProject]:
    """Opens the export of projects from a database."""
    async with open_database(dsn, settings.postgres) as database:
        await require_ready(PostgresMaintenance(database))
        yield ExportProject(PostgresProjectStore(database))


@asynccontextmanager
async def open_import(settings: Settings, dsn: str) -> AsyncIterator[ImportProject]:
    """Opens the import of projects into a database, with the models in the settings."""
    async with _writing(settings, dsn) as (projects, embedder):
        yield ImportProject(projects, embedder)


@asynccontextmanager
async def open_mem0_import(
    settings: Settings, dsn: str, mem0_dsn: str, table: str
) -> AsyncIterator[ImportMem0]:
    """Opens the import of a table of Mem0 OSS.

    Raises:
        StoreUnavailable: Mem0's database cannot be reached.
        ArchiveUnusable: Mem0's database has no such table.
    """
    async with (
        _writing(settings, dsn) as (projects, embedder),
        open_mem0_table(mem0_dsn, table) as mem0,
    ):
        yield ImportMem0(mem0, projects, embedder)


@asynccontextmanager
async def open_mem0_platform_import(
    settings: Settings, dsn: str, host: str, api_key: str
) -> AsyncIterator[ImportMem0]:
    """Opens the import of an account of Mem0's platform.

    Raises:
        StoreUnavailable: the account cannot be reached.
    """
    # Only this command needs an HTTP client.
    from server.storage.mem0_platform import open_mem0_platform  # noqa: PLC0415

    async with (
        _writing(settings, dsn) as (projects, embedder),
        open_mem0_platform(host, api_key) as mem0,
    ):
        yield ImportMem0(mem0, projects, embedder)


@asynccontextmanager
async def open_reembed(settings: Settings, dsn: str) -> AsyncIterator[Reembed]:
    """Opens the re-embedding of a database's texts with the embedder in the settings."""
    async with (
        open_database(dsn, settings.postgres) as database,
        open_models(settings) as models,
    ):
        store = PostgresMaintenance(database)
        await require_ready(store)
        yield Reembed(store, models.embedder)


@asynccontextmanager
async def open_search_indexing(
    settings: Settings, dsn: str
) -> AsyncIterator[PostgresSearchIndexing]:
    """Opens the indexing of a database for very large scopes."""
    async with open_database(dsn, settings.postgres) as database:
        await require_ready(PostgresMaintenance(database))
        yield PostgresSearchIndexing(dsn)


@asynccontextmanager
async def _writing(
    settings: Settings, dsn: str
) -> AsyncIterator[tuple[PostgresProjectStore, Embedder]]:
    async with (
        open_database(dsn, settings.postgres) as database,
        open_models(settings) as models,
    ):
        await require_ready(PostgresMaintenance(database), models.embedder)
        yield PostgresProjectStore(database), models.embedder
