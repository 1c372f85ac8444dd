"""Other servers continue the work of a killed server before its leases expire: P3."""

from __future__ import annotations

import grpc
import pytest
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.api import listed
from tests.support.leases import prolong_leases, until_present
from tests.support.server import Home, connected, key_of

CALL_SECONDS = 30.0


@pytest.mark.parametrize("infer", [True, False])
async def test_a_call_that_is_sent_again_does_not_wait_for_a_dead_server(
    home: Home, infer: bool
) -> None:
    dying = home.server(MEMOIR_ALLOW_FAILPOINTS="true", MEMOIR_FAILPOINTS="add.before_commit:1")
    heir = home.server()
    await dying.start()
    await heir.start()
    await until_present(home.postgres_dsn, servers=2)
    request = memory_service_pb2.AddMemoriesRequest(
        user_id="alice",
        request_id="4c58bd9c-3f3c-4c37-9e3f-5dd3a9a0b7f1",
        messages=[memory_pb2.Message(role="user", content="I work at Acme.")],
        infer=infer,
    )
    key = await key_of(home)
    async with connected(dying.address, key) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.memory.AddMemories(request, metadata=client.metadata)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    await prolong_leases(home.postgres_dsn)
    async with connected(heir.address, key) as client:
        answer = await client.memory.AddMemories(
            request, metadata=client.metadata, timeout=CALL_SECONDS
        )
        assert len(answer.results) == 1
        remembered = [memory.text for memory in await listed(client, "alice")]
        assert remembered == [result.data.memory for result in answer.results]
    await heir.stop()
