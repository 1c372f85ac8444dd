"""Mem0's own clients, each version in an environment of its own (`make mem0-clients`)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.server import clean_environment

ROOT = Path(__file__).resolve().parents[2]
DRIVER = Path(__file__).with_name("mem0_driver.py")
ENVIRONMENTS = ROOT / ".local" / "mem0"
VERSIONS = ("0.1.118", "1.0.11", "2.2.1")
ANSWER_SECONDS = 60.0
# Everything that a client sends is one line, which may be long.
LONGEST_LINE = 16 * 1024 * 1024


class Mem0Error(Exception):
    """An exception of a client; `kind` is its type's name."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind


class Mem0Client:
    """A process with one version of Mem0's clients, one of which is connected."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def connect(self, kind: str, host: str, key: str) -> None:
        """Replaces the client by a new one, which is `sync` or `async`.

        Raises:
            Mem0Error: the constructor raised an exception; the client before stays.
        """
        await self._ask({"connect": kind, "host": host, "key": key})

    async def call(self, method: str, *args: object, **kwargs: object) -> Any:
        """Calls a method, such as `add` or `project.get`.

        Raises:
            Mem0Error: the client raised an exception.
        """
        return await self._ask({"method": method, "args": args, "kwargs": kwargs})

    async def _ask(self, request: dict[str, object]) -> Any:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), ANSWER_SECONDS)
        assert line, f"the client ended: {await self._complaint()}"
        answer = json.loads(line)
        if "error" in answer:
            raise Mem0Error(answer["error"], answer["message"])
        return answer["result"]

    async def _complaint(self) -> str:
        assert self._process.stderr is not None
        return (await self._process.stderr.read()).decode()


@asynccontextmanager
async def mem0_client(version: str, directory: Path) -> AsyncIterator[Mem0Client]:
    """Yields a process with this version, in which no client is connected yet."""
    python = ENVIRONMENTS / version / "bin" / "python"
    if not python.exists():
        pytest.skip(f"mem0ai {version} is not installed: `make mem0-clients` could not reach PyPI")
    process = await asyncio.create_subprocess_exec(
        *(str(python), str(DRIVER)),
        env=clean_environment(MEM0_TELEMETRY="False", MEM0_DIR=str(directory)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=LONGEST_LINE,
    )
    try:
        yield Mem0Client(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()
