"""A server to measure: one that runs already, or one of its own on an empty database."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from benchmarks.servers import PROJECT, command_line, memoir_environment, postgres, serving


@asynccontextmanager
async def running_server(address: str | None, key: str) -> AsyncIterator[tuple[str, str]]:
    """The address and the key to call; without an address, of a server that it starts."""
    if address:
        yield address, key
        return
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="memoir-bench-")))
        dsn = await stack.enter_async_context(postgres(folder / "postgres"))
        environment = memoir_environment(dsn)
        await command_line("migrate", environment=environment)
        await command_line("projects", "create", PROJECT, environment=environment)
        key = await command_line("keys", "create", "--project", PROJECT, environment=environment)
        yield (
            await stack.enter_async_context(
                serving("-m", "server", "serve", environment=environment, log=folder / "log")
            ),
            key,
        )
