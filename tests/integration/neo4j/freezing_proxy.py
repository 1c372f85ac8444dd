"""A TCP proxy that can fall silent like a stopped server: connected, but without an answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65_536


class FreezingProxy:
    """Forwards between its clients and a server while it is not frozen."""

    def __init__(self, host: str, port: int) -> None:
        self._upstream = (host, port)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()

    def freeze(self) -> None:
        """Holds back every byte from now on."""
        self._flowing.clear()

    def thaw(self) -> None:
        """Sends on what was held back."""
        self._flowing.set()

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[int]:
        """Serves during the block; yields the port."""
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        up_reader, up_writer = await asyncio.open_connection(*self._upstream)
        with suppress(ConnectionError, asyncio.CancelledError):
            await asyncio.gather(self._forward(reader, up_writer), self._forward(up_reader, writer))
        writer.close()
        up_writer.close()

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(_CHUNK):
            await self._flowing.wait()
            writer.write(data)
            await writer.drain()
        writer.close()
