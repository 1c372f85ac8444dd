"""Opens the store that a command works on."""

from __future__ import annotations

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from server.cli.backends import postgres_of
from server.cli.console import ConsoleProgress
from server.cli.migrate import apply_migrations
from server.core.request_context import Origin, RequestContext, enter_origin, enter_request
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

    What the block does is audited as done by the user who runs the command.

    Raises:
        SettingsFault: settings are missing or wrong.
        EmbeddedError: an embedded PostgreSQL cannot be started.
    """
    _enter_operator()
    settings = load_settings()
    progress = ConsoleProgress()
    async with postgres_of(settings, progress) as dsn:
        if settings.embedded_postgres:
            await apply_migrations(dsn, progress)
        yield Store(settings, dsn, progress)


def _enter_operator() -> None:
    """Lets the audit log say who runs the command, and from where."""
    enter_origin(Origin(peer=f"cli:{getpass.getuser()}@{socket.gethostname()}"))
    enter_request(RequestContext(correlation_id=f"cli-{uuid4()}", deadline=float("inf")))
