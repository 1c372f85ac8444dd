"""Composes the commands that work on whole projects and stores.

All of them raise StoreUnready if the schema is outdated, and StoreUnavailable if the database
cannot be reached. Those that embed texts raise SettingsFault if the models cannot be opened, and
imports raise StoreUnready if another embedder wrote the store.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.maintenance import Reembed, require_ready
from server.models.ports import Embedder
from server.projects.archive.export_import import ExportProject, ImportMem0, ImportProject
from server.runtime.composition.models import open_models
from server.runtime.settings import Settings
from server.storage.mem0_platform import open_mem0_platform
from server.storage.postgres.archive import open_mem0_table
from server.storage.postgres.pool import open_database
from server.storage.postgres.projects import PostgresProjectStore
from server.storage.postgres.schema import PostgresUpkeep
from server.storage.postgres.vector_index import PostgresSearchIndexing


@asynccontextmanager
async def open_export(settings: Settings, dsn: str) -> AsyncIterator[ExportProject]:
    """Opens the export of projects from a database."""
    async with open_database(dsn, settings.postgres) as database:
        await require_ready(PostgresUpkeep(database))
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
        store = PostgresUpkeep(database)
        await require_ready(store)
        yield Reembed(store, models.embedder)


@asynccontextmanager
async def open_search_indexing(
    settings: Settings, dsn: str
) -> AsyncIterator[PostgresSearchIndexing]:
    """Opens the indexing of a database for very large scopes."""
    async with open_database(dsn, settings.postgres) as database:
        await require_ready(PostgresUpkeep(database))
        yield PostgresSearchIndexing(dsn)


@asynccontextmanager
async def _writing(
    settings: Settings, dsn: str
) -> AsyncIterator[tuple[PostgresProjectStore, Embedder]]:
    async with (
        open_database(dsn, settings.postgres) as database,
        open_models(settings) as models,
    ):
        await require_ready(PostgresUpkeep(database), models.embedder)
        yield PostgresProjectStore(database), models.embedder
