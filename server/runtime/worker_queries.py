"""Lets the worker processes of a server query each other.

A query is one line of JSON, and so is its answer. Only the owner of the folder can connect.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

ASK_SECONDS: Final = 1.0
"""How long to wait for a worker's answer, in seconds."""

_MOST_BYTES: Final = 64 * 1024 * 1024

Answer: TypeAlias = Callable[[Mapping[str, Any]], Any]

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def _socket_of(directory: Path, number: int) -> Path:
    return directory / f"{number}.sock"


@asynccontextmanager
async def answering(directory: Path, number: int, answer: Answer) -> AsyncIterator[None]:
    """Answers the queries of other processes during the block."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                query = json.loads(await reader.readline())
                writer.write(json.dumps(answer(query)).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("worker.query_failed", error=repr(error))
        finally:
            writer.close()

    path = _socket_of(directory, number)
    # A previous worker leaves its socket behind if it is killed.
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def ask(directory: Path, number: int, query: Mapping[str, Any]) -> Any | None:
    """Returns the answer of a worker; None if it does not answer in time."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_unix_connection(
                _socket_of(directory, number), limit=_MOST_BYTES
            )
            try:
                writer.write(json.dumps(query).encode() + b"\n")
                return json.loads(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return None


async def ask_all(
    directory: Path, numbers: Iterable[int], query: Mapping[str, Any]
) -> list[Any | None]:
    """Returns the answers of these workers; None for each that does not answer in time."""
    return await asyncio.gather(*(ask(directory, number, query) for number in numbers))
