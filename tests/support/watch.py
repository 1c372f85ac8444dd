"""Watching memory events as a client does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import grpc
import pytest
from memoir.v1 import memory_service_pb2

from tests.support.server import Client

Response = memory_service_pb2.WatchMemoryEventsResponse
# The client's deadline, so that a test cannot hang.
SECONDS = 30.0


class Watch:
    """A stream of memory events."""

    def __init__(self, client: Client, **fields: str) -> None:
        self._call = client.memory.WatchMemoryEvents(
            memory_service_pb2.WatchMemoryEventsRequest(**fields),
            metadata=client.metadata,
            timeout=SECONDS,
        )
        self._responses: AsyncIterator[Response] = aiter(self._call)

    async def next(self, count: int) -> list[Response]:
        """Returns the next responses."""
        return [await anext(self._responses) for _ in range(count)]

    async def end(self) -> grpc.aio.AioRpcError:
        """Returns the error with which the stream ends."""
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.next(1_000_000)
        return caught.value

    def cancel(self) -> None:
        """Ends it."""
        self._call.cancel()


async def begin_of(client: Client, user: str) -> str:
    """Returns a cursor before all further events of the user."""
    watch = Watch(client, user_id=user)
    [first] = await watch.next(1)
    watch.cancel()
    assert not first.HasField("event")
    return first.cursor
