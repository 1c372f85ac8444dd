"""A proxy that adds TLS to a database without it."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Connect: TypeAlias = Callable[[], Awaitable[Streams]]
# A client of PostgreSQL first sends an SSLRequest.
SSL_REQUEST = bytes.fromhex("0000000804d2162f")


@asynccontextmanager
async def encrypting(
    connect: Connect, context: ssl.SSLContext, *, asked: bool = False
) -> AsyncIterator[int]:
    """Serves `connect` with TLS; yields the port. With `asked`, it expects an SSLRequest."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if asked:
                assert await reader.readexactly(len(SSL_REQUEST)) == SSL_REQUEST
                writer.write(b"S")
                await writer.start_tls(context)
            inner_reader, inner_writer = await connect()
            await asyncio.gather(copy(reader, inner_writer), copy(inner_reader, writer))
        except (OSError, asyncio.IncompleteReadError):
            # The client rejected the certificate.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(
        serve, "127.0.0.1", 0, ssl=None if asked else context, ssl_handshake_timeout=None
    )
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end."""
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
