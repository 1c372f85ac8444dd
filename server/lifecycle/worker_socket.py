"""What the processes of one server ask each other, over sockets in a folder of their own.

A question is one line of JSON, and so is its answer. Only the owner of the folder can connect.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, TypeAlias

import structlog

ASK_SECONDS: Final = 1.0
"""A worker that does not answer within this time is done without."""

_MOST_BYTES: Final = 64 * 1024 * 1024

Answer: TypeAlias = Callable[[Mapping[str, Any]], Any]

log: structlog.typing.FilteringBoundLogger = structlog.get_logger()


def socket_of(directory: Path, number: int) -> Path:
    """Where a worker is asked."""
    return directory / f"{number}.sock"


@asynccontextmanager
async def answering(directory: Path, number: int, answer: Answer) -> AsyncIterator[None]:
    """Answers the questions of the others during the block."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ASK_SECONDS):
                question = json.loads(await reader.readline())
                writer.write(json.dumps(answer(question)).encode() + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, ValueError) as error:
            log.warning("worker.question_failed", error=repr(error))
        finally:
            writer.close()

    path = socket_of(directory, number)
    # One that a predecessor left when it was killed.
    path.unlink(missing_ok=True)
    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()
        await server.wait_closed()


async def ask(directory: Path, number: int, question: Mapping[str, Any]) -> Any | None:
    """The answer of a worker; None if it has none in time."""
    try:
        async with asyncio.timeout(ASK_SECONDS):
            reader, writer = await asyncio.open_unix_connection(
                socket_of(directory, number), limit=_MOST_BYTES
            )
            try:
                writer.write(json.dumps(question).encode() + b"\n")
                return json.loads(await reader.readline())
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError):
        return None


def ask_all(directory: Path, count: int, question: Mapping[str, Any]) -> Iterator[Any | None]:
    """The same of all workers, for a thread that may wait."""
    for number in range(count):
        try:
            yield _ask_blocking(socket_of(directory, number), question)
        except (OSError, ValueError):
            yield None


def _ask_blocking(path: Path, question: Mapping[str, Any]) -> Any:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ASK_SECONDS)
        connection.connect(os.fspath(path))
        connection.sendall(json.dumps(question).encode() + b"\n")
        with connection.makefile("rb") as lines:
            return json.loads(lines.readline())
