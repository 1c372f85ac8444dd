"""Opens the store that a command works on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from server.cli.backends import postgres_of
from server.cli.console import ConsoleProgress
from server.cli.migrate import apply_migrations
from server.runtime.settings import Settings, load_settings


@dataclass(frozen=True, slots=True)
class Store:
    """The store's address, its settings, and where to report progress."""

    settings: Settings
    dsn: str
    progress: ConsoleProgress


@asynccontextmanager
async def open_store() -> AsyncIterator[Store]:
    """Opens the store in the settings for the block. An embedded one is migrated first.

    Raises:
        SettingsFault: settings are missing or wrong.
        EmbeddedError: an embedded PostgreSQL cannot be started.
    """
    settings = load_settings()
    progress = ConsoleProgress()
    async with postgres_of(settings, progress) as dsn:
        if settings.embedded_postgres:
            await apply_migrations(dsn, progress)
        yield Store(settings, dsn, progress)
