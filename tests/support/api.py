"""Calls of the API for tests: one function for each step of a client."""

from __future__ import annotations

from google.protobuf.field_mask_pb2 import FieldMask
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.server import Client


def user_says(*texts: str) -> list[memory_pb2.Message]:
    """Returns messages of the user."""
    return [memory_pb2.Message(role="user", content=text) for text in texts]


async def add(
    client: Client, user: str, *texts: str, **fields: object
) -> memory_service_pb2.AddMemoriesResponse:
    """Adds messages of the user; `fields` are further fields of the request."""
    request = memory_service_pb2.AddMemoriesRequest(
        user_id=user,
        messages=user_says(*texts),
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )
    return await client.memory.AddMemories(request, metadata=client.metadata)


async def listed(client: Client, user: str, **fields: object) -> list[memory_pb2.Memory]:
    """Returns one page of the user's memories."""
    request = memory_service_pb2.ListMemoriesRequest(
        user_id=user,
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )
    response = await client.memory.ListMemories(request, metadata=client.metadata)
    return list(response.memories)


def update_of(
    memory_id: str,
    paths: list[str],
    *,
    etag: str | None = None,
    request_id: str | None = None,
    **changes: object,
) -> memory_service_pb2.UpdateMemoryRequest:
    """Returns a request that changes the fields named by `paths`."""
    return memory_service_pb2.UpdateMemoryRequest(
        id=memory_id,
        update_mask=FieldMask(paths=paths),
        changes=memory_service_pb2.MemoryChanges(**changes),  # type: ignore[arg-type] # names fit
        etag=etag,
        request_id=request_id,
    )


async def update(
    client: Client, request: memory_service_pb2.UpdateMemoryRequest
) -> memory_service_pb2.UpdateMemoryResponse:
    """Updates a memory."""
    return await client.memory.UpdateMemory(request, metadata=client.metadata)


async def remembered(client: Client, user: str, text: str, **fields: object) -> memory_pb2.Memory:
    """Adds a text that becomes one memory, and returns the memory."""
    [result] = (await add(client, user, text, **fields)).results
    [memory] = [m for m in await listed(client, user) if m.id == result.id]
    return memory


async def events(
    client: Client, memory_id: str, **fields: object
) -> memory_service_pb2.ListMemoryEventsResponse:
    """Returns one page of a memory's history."""
    request = memory_service_pb2.ListMemoryEventsRequest(
        id=memory_id,
        **fields,  # type: ignore[arg-type] # the fields' types differ
    )
    return await client.memory.ListMemoryEvents(request, metadata=client.metadata)
