"""A server to measure: a running one, or a new one on an empty database."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import asyncpg

from benchmarks.servers import PROJECT, command_line, memoir_environment, postgres, serving


@asynccontextmanager
async def database(server_dsn: str, name: str) -> AsyncIterator[str]:
    """Creates an empty database for the block; yields its DSN."""
    connection = await asyncpg.connect(server_dsn)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        head, _, query = server_dsn.partition("?")
        yield f"{head.rpartition('/')[0]}/{name}?{query}"
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()


@asynccontextmanager
async def prepared(
    server_dsn: str, name: str, **variables: str
) -> AsyncIterator[tuple[dict[str, str], str]]:
    """Creates a database for the block; yields the settings of a server on it, and a key."""
    async with database(server_dsn, name) as dsn:
        environment = memoir_environment(dsn, **variables)
        await command_line("migrate", environment=environment)
        await command_line("projects", "create", PROJECT, environment=environment)
        key = await command_line("keys", "create", "--project", PROJECT, environment=environment)
        yield environment, key


@asynccontextmanager
async def running_server(
    address: str | None, key: str, **variables: str
) -> AsyncIterator[tuple[str, str]]:
    """Yields the given address and key, or, without an address, those of a new server.

    `variables` are settings of the new server.
    """
    if address:
        yield address, key
        return
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-bench-")))
        dsn = await stack.enter_async_context(postgres(folder / "postgres"))
        environment, key = await stack.enter_async_context(prepared(dsn, PROJECT, **variables))
        at = await stack.enter_async_context(
            serving("-m", "server", "serve", environment=environment, log=folder / "log")
        )
        yield at, key
