"""Watching memory events as a client does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from memoir.v1 import memory_service_pb2

from tests.support.server import Client

Response = memory_service_pb2.WatchMemoryEventsResponse
# Of the client, so that a test that waits in vain ends.
SECONDS = 30.0


class Watch:
    """A stream, and what it brought."""

    def __init__(self, client: Client, **fields: str) -> None:
        self._call = client.memory.WatchMemoryEvents(
            memory_service_pb2.WatchMemoryEventsRequest(**fields),
            metadata=client.metadata,
            timeout=SECONDS,
        )
        self._responses: AsyncIterator[Response] = aiter(self._call)

    async def next(self, count: int) -> list[Response]:
        """The next responses."""
        return [await anext(self._responses) for _ in range(count)]

    async def end(self) -> grpc.aio.AioRpcError:
        """The error that the stream ends with."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.next(1_000_000)
        return caught.value

    def cancel(self) -> None:
        """Ends it."""
        self._call.cancel()


async def begin_of(client: Client, user: str) -> str:
    """A cursor before everything that the user does from now on."""
    watch = Watch(client, user_id=user)
    [first] = await watch.next(1)
    watch.cancel()
    assert not first.HasField("event")
    return first.cursor
