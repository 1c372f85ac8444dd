"""The databases that a command works on: configured or embedded ones."""

from __future__ import annotations

import getpass
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import structlog

from server.cli.console import ConsoleProgress
from server.cli.development import read_runtime
from server.core.request_context import Origin, RequestContext, enter_origin, enter_request
from server.core.values import Neo4jAddress
from server.embedded import EmbeddedError, EmbeddedNeo4j, EmbeddedPostgres, Progress, running_at
from server.runtime.composition.commands import (
    OpenDatabase,
    Opened,
    is_reachable,
    migrate_database,
)
from server.runtime.settings import Settings, load_settings

log = structlog.get_logger()


def neo4j_directory(settings: Settings) -> Path:
    """Returns the data directory of the embedded Neo4j."""
    return settings.data.data_dir / "neo4j"


@asynccontextmanager
async def embedded_postgres(settings: Settings, progress: Progress) -> AsyncIterator[str]:
    """Yields the DSN of an embedded PostgreSQL that runs during the block."""
    async with EmbeddedPostgres(settings.data.data_dir / "postgres", progress) as postgres:
        yield postgres.dsn


@asynccontextmanager
async def postgres_to_maintain(settings: Settings, progress: Progress) -> AsyncIterator[str]:
    """Yields the DSN of the PostgreSQL to administer.

    This is the database in the settings, else that of the server that runs on this data directory,
    else an embedded PostgreSQL that runs during the block.
    """
    if settings.postgres.dsn is not None:
        yield settings.postgres.dsn.get_secret_value()
        return
    runtime = read_runtime(settings.data.data_dir)
    if runtime is not None and await is_reachable(runtime.postgres_dsn):
        yield runtime.postgres_dsn
        return
    async with embedded_postgres(settings, progress) as dsn:
        yield dsn


def configured_graph(settings: Settings) -> Neo4jAddress | None:
    """Returns the address of the Neo4j in the settings; None if an embedded one is used."""
    neo4j = settings.neo4j
    if neo4j.uri is None:
        return None
    return Neo4jAddress(neo4j.uri, neo4j.user, neo4j.password.get_secret_value())


@asynccontextmanager
async def graph_to_maintain(settings: Settings, progress: Progress) -> AsyncIterator[Neo4jAddress]:
    """Yields the address of the Neo4j to work on.

    This is the database in the settings, else that of the server that runs on this data directory,
    else an embedded Neo4j that runs during the block.

    Raises:
        EmbeddedError: an embedded Neo4j cannot be started.
    """
    home = neo4j_directory(settings)
    if (configured := configured_graph(settings)) is not None:
        yield configured
        return
    runtime = read_runtime(settings.data.data_dir)
    if runtime is not None and runtime.neo4j_uri and await is_reachable(runtime.postgres_dsn):
        yield running_at(home, runtime.neo4j_uri)
        return
    embedded = EmbeddedNeo4j(home, settings.data.neo4j_lib_dir, progress)
    try:
        yield await embedded.start()
    finally:
        await embedded.stop()


@asynccontextmanager
async def graph_to_serve(
    settings: Settings, progress: Progress
) -> AsyncIterator[Neo4jAddress | None]:
    """Yields the address of Neo4j: from the settings, or an embedded one run during the block.

    It does not wait until an embedded Neo4j has started. Yields None if it cannot be started; this
    is logged, and the server runs without it.
    """
    if (configured := configured_graph(settings)) is not None:
        yield configured
        return
    embedded = EmbeddedNeo4j(neo4j_directory(settings), settings.data.neo4j_lib_dir, progress)
    try:
        address = await embedded.spawn()
    except EmbeddedError as error:
        log.warning("neo4j.not_started", reason=str(error))
        yield None
        return
    try:
        yield address
    finally:
        await embedded.stop()


@dataclass(frozen=True, slots=True)
class Store:
    """The store's address, its settings, and where to report progress."""

    settings: Settings
    dsn: str
    progress: ConsoleProgress


@asynccontextmanager
async def open_store() -> AsyncIterator[Store]:
    """Opens the store in the settings for the block. An embedded one is migrated first.

    The audit log attributes acts in the block to the user who runs the command.

    Raises:
        SettingsFault: settings are missing or wrong.
        EmbeddedError: an embedded PostgreSQL cannot be started.
    """
    _enter_operator()
    settings = load_settings()
    progress = ConsoleProgress()
    async with postgres_to_maintain(settings, progress) as dsn:
        if settings.embedded_postgres:
            await migrate_database(dsn, progress)
        yield Store(settings, dsn, progress)


@asynccontextmanager
async def opened(open_: OpenDatabase[Opened]) -> AsyncIterator[Opened]:
    """Opens the store in the settings, and yields what `open_` opens in it.

    Raises:
        SettingsFault, EmbeddedError: as `open_store`.
    """
    async with open_store() as store, open_(store.dsn, store.settings.postgres) as made:
        yield made


def _enter_operator() -> None:
    """Sets who runs the command, and from where, for the audit log."""
    enter_origin(Origin(peer=f"cli:{getpass.getuser()}@{socket.gethostname()}"))
    enter_request(RequestContext(correlation_id=f"cli-{uuid4()}", deadline=float("inf")))
