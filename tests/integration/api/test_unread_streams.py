"""A stream whose client does not read is no longer written, and delays no other stream."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from tests.integration.api.harness import (
    AUTHORIZED,
    GENERATE,
    WRITE,
    AddResponse,
    Harness,
    add_request,
)

ANSWER = AddResponse(consistency_token="x" * 10_000)
# A stream counts as stopped if another stream meanwhile reads this many responses.
IN_A_ROW = 200
PATIENCE_SECONDS = 30.0


@pytest.mark.parametrize("path", [GENERATE, WRITE])
@pytest.mark.parametrize("provider", [True, False], ids=["traced", "untraced"], indirect=True)
async def test_a_stream_that_nobody_reads_stops_being_written(harness: Harness, path: str) -> None:
    written: Counter[str] = Counter()

    async def generate(request: Any, _context: Any) -> AsyncIterator[Any]:
        while True:
            written[request.user_id] += 1
            yield ANSWER

    async def write(request: Any, context: Any) -> None:
        while True:
            written[request.user_id] += 1
            await context.write(ANSWER)

    harness.service.stream, harness.service.write = generate, write
    # On a separate connection, because the streams of a connection share its flow control.
    async with grpc.aio.insecure_channel(harness.address) as channel:
        unread = begun(channel, path, "unread")
        read = begun(harness.channel, path, "read")
        in_a_row, before = 0, 0
        async with asyncio.timeout(PATIENCE_SECONDS):
            while in_a_row < IN_A_ROW:
                assert await read.read() is not grpc.aio.EOF
                in_a_row = in_a_row + 1 if written["unread"] == before > 0 else 0
                before = written["unread"]
        unread.cancel()
        read.cancel()


def begun(channel: grpc.aio.Channel, path: str, user_id: str) -> Any:
    send: Any = channel.unary_stream(path)
    return send(add_request(user_id=user_id).SerializeToString(), metadata=AUTHORIZED)
