"""Faulty connections, through toxiproxy (https://github.com/Shopify/toxiproxy)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import aiohttp

from server.embedded.neo4j_home import free_port
from tests.support.processes import eventually

PROGRAM: Final = "toxiproxy-server"
_START_SECONDS: Final = 30.0
_PIECE_BYTES: Final = 64 * 1024


class Toxiproxy:
    """`async with Toxiproxy() as network:` runs one.

    Raises:
        RuntimeError: toxiproxy is not installed.
    """

    def __init__(self) -> None:
        self._port = free_port()
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        program = shutil.which(PROGRAM)
        if program is None:
            raise RuntimeError(f"{PROGRAM} is needed: `make tools` builds it")
        self._process = await asyncio.create_subprocess_exec(
            program,
            *("-host", "127.0.0.1", "-port", str(self._port)),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await eventually(self._answers, _START_SECONDS, "toxiproxy")
        return self

    async def __aexit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        if self._process is not None:
            self._process.terminate()
            await self._process.wait()

    async def lead(self, name: str, upstream: str) -> int:
        """Returns a local port that is forwarded to `upstream`, given as host:port."""
        port = free_port()
        listen = f"127.0.0.1:{port}"
        await self._post("/proxies", {"name": name, "listen": listen, "upstream": upstream})
        return port

    async def poison(self, name: str, kind: str, **attributes: int) -> None:
        """Adds a toxic to the downstream of a proxy, until `cure`.

        The kinds and their attributes: https://github.com/Shopify/toxiproxy#toxics
        """
        toxic = {"name": "t", "type": kind, "stream": "downstream", "attributes": attributes}
        await self._post(f"/proxies/{name}/toxics", toxic)

    async def cure(self, name: str) -> None:
        """Removes the toxics and closes hanging connections."""
        async with (
            self._session() as session,
            session.delete(f"/proxies/{name}/toxics/t") as answer,
        ):
            answer.raise_for_status()

    async def _post(self, path: str, body: object) -> None:
        async with self._session() as session, session.post(path, json=body) as answer:
            answer.raise_for_status()

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(f"http://127.0.0.1:{self._port}")

    async def _answers(self) -> bool:
        try:
            async with self._session() as session, session.get("/version") as answer:
                return answer.ok
        except aiohttp.ClientError:
            return False


@asynccontextmanager
async def relayed(socket: Path) -> AsyncIterator[str]:
    """Forwards a TCP port to a Unix socket, which toxiproxy does not support; yields host:port."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_unix_connection(socket)
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    try:
        yield f"{host}:{port}"
    finally:
        server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Forwards data until one end is closed, then closes the other."""
    try:
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
