"""Starts the servers under test, each as its own process."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from server.embedded import EmbeddedPostgres, no_progress

ROOT = Path(__file__).resolve().parent.parent
START_SECONDS = 60.0
PROJECT = "bench"

_ADDRESS = re.compile(rb"serving on (\S+:\d+)")


@asynccontextmanager
async def postgres(directory: Path) -> AsyncIterator[str]:
    """Yields the DSN of a new PostgreSQL, with durable commits."""
    server = EmbeddedPostgres(directory, no_progress)
    try:
        yield await server.start()
    finally:
        await server.stop()


def memoir_environment(dsn: str, **variables: str) -> dict[str, str]:
    """Returns the settings of a server with the offline models and an unreachable Neo4j."""
    return {
        **_clean_environment(),
        "MEMOIR_POSTGRES_DSN": dsn,
        "MEMOIR_NEO4J_URI": "bolt://127.0.0.1:9",
        "MEMOIR_MODELS": "offline",
        "MEMOIR_GRPC_PORT": "0",
        # Single processes are compared.
        "MEMOIR_WORKERS": "1",
        **variables,
    }


@asynccontextmanager
async def serving(
    *command: str,
    environment: Mapping[str, str],
    log: Path,
    python: Path | str = sys.executable,
) -> AsyncIterator[str]:
    """Runs a server during the block, by this Python or another one; yields its address.

    Raises:
        RuntimeError: it ended, or did not print its address in time.
    """
    with log.open("ab") as errors:
        process = await asyncio.create_subprocess_exec(
            python,
            *command,
            cwd=ROOT,
            env=dict(environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )
    try:
        yield await asyncio.wait_for(_address(process), START_SECONDS)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def _address(process: asyncio.subprocess.Process) -> str:
    if process.stdout is None:
        raise RuntimeError("the server's output is not read")
    async for line in process.stdout:
        if found := _ADDRESS.search(line):
            return found[1].decode()
    raise RuntimeError("the server ended during its start; see its log")


async def command_line(*arguments: str, environment: Mapping[str, str]) -> str:
    """Runs `python -m server ...` and returns its output.

    Raises:
        RuntimeError: it failed.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "server", *arguments),
        cwd=ROOT,
        env=dict(environment),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(err.decode())
    return out.decode().strip()


def _clean_environment() -> dict[str, str]:
    foreign = ("MEMOIR_", "GEMINI_", "GOOGLE_", "OTEL_")
    return {k: v for k, v in os.environ.items() if not k.startswith(foreign)}
