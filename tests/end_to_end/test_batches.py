"""Changing and deleting many memories over the wire."""

from __future__ import annotations

from uuid import uuid4

import grpc
import pytest
from google.rpc import error_details_pb2, status_pb2
from memoir.v1 import memory_service_pb2

from tests.support.api import add, listed, update_of
from tests.support.errors import details_of
from tests.support.server import Client


def reason_of(status: status_pb2.Status) -> str:
    info = error_details_pb2.ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return str(info.reason).removeprefix("ERROR_REASON_")


async def test_each_update_has_a_result_of_its_own(client: Client, user: str) -> None:
    added = (await add(client, user, "I sing.", "I dance.", infer=False)).results
    fixed = (await add(client, user, "I act.", infer=False, immutable=True)).results
    request = memory_service_pb2.BatchUpdateMemoriesRequest(
        requests=[
            update_of(added[0].id, ["text"], text="I hum."),
            update_of(fixed[0].id, ["text"], text="I sit."),
            update_of(added[1].id, ["text"], text="I hum."),
            update_of(added[1].id, ["categories"], categories=["hobbies"]),
            update_of(added[1].id, ["text"], text="I sleep.", etag="stale"),
        ],
        request_id=str(uuid4()),
    )
    response = await client.memory.BatchUpdateMemories(request, metadata=client.metadata)

    outcomes = [result.WhichOneof("outcome") for result in response.results]
    assert outcomes == ["memory", "error", "error", "memory", "error"]
    assert [reason_of(response.results[i].error) for i in (1, 2, 4)] == [
        "MEMORY_IMMUTABLE",
        "MEMORY_DUPLICATE",
        "ETAG_MISMATCH",
    ]
    assert response.results[4].error.code == grpc.StatusCode.ABORTED.value[0]
    memories = {memory.id: memory for memory in await listed(client, user)}
    assert memories[added[0].id] == response.results[0].memory
    assert memories[added[1].id] == response.results[3].memory
    assert memories[fixed[0].id].version == 1

    again = await client.memory.BatchUpdateMemories(request, metadata=client.metadata)
    assert again.consistency_token == response.consistency_token
    assert [result.memory for result in again.results] == [r.memory for r in response.results]
    assert {memory.id: memory for memory in await listed(client, user)} == memories
    request.requests[0].changes.text = "other"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.BatchUpdateMemories(request, metadata=client.metadata)
    assert details_of(caught.value).reason == "REQUEST_ID_REUSED"


async def test_each_deletion_has_a_result_of_its_own(client: Client, user: str) -> None:
    added = (await add(client, user, "I sing.", "I dance.", infer=False)).results
    ids = [added[0].id, str(uuid4()), added[0].id]
    request = memory_service_pb2.BatchDeleteMemoriesRequest(
        requests=[memory_service_pb2.DeleteMemoryRequest(id=memory_id) for memory_id in ids],
    )
    response = await client.memory.BatchDeleteMemories(request, metadata=client.metadata)
    assert [result.id for result in response.results] == ids
    assert [result.HasField("error") for result in response.results] == [False, True, True]
    assert reason_of(response.results[1].error) == "MEMORY_NOT_FOUND"
    assert [memory.id for memory in await listed(client, user)] == [added[1].id]


async def test_items_agree_with_the_batch(client: Client) -> None:
    item = memory_service_pb2.DeleteMemoryRequest(
        id=str(uuid4()), project_id="other", request_id=str(uuid4())
    )
    request = memory_service_pb2.BatchDeleteMemoriesRequest(requests=[item])
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.BatchDeleteMemories(request, metadata=client.metadata)
    assert set(details_of(caught.value).violations) == {
        "requests[0].project_id",
        "requests[0].request_id",
    }
