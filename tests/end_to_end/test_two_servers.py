"""Two servers on one database: adds to one scope take turns, and so do repetitions of one call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import pytest_asyncio
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support import gemini_brain
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.server import Client, Home, connected, key_of

ADD, UPDATE = memory_pb2.MemoryEvent.ADD, memory_pb2.MemoryEvent.UPDATE


class Witness:
    """The model of both servers: remembers which candidates each question showed."""

    def __init__(self) -> None:
        self.candidates: list[list[str]] = []

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        data = gemini_brain.conversation(request)
        self.candidates.append([candidate["text"] for candidate in data.get("candidates", [])])
        return gemini_brain.answer(request)


@pytest_asyncio.fixture
async def witness() -> Witness:
    return Witness()


@pytest_asyncio.fixture
async def clients(home: Home, witness: Witness) -> AsyncIterator[list[Client]]:
    """Clients of two servers on one database and one model."""
    async with GeminiEndpoint(brain=witness) as endpoint:
        servers = [
            home.server(
                MEMOIR_MODELS="gemini", GEMINI_API_KEY="k", MEMOIR_GEMINI_BASE_URL=endpoint.base_url
            )
            for _ in range(2)
        ]
        await asyncio.gather(*(server.start() for server in servers))
        key = await key_of(home)
        first, second = (connected(server.address, key) for server in servers)
        async with first as one, second as other:
            yield [one, other]
        await asyncio.gather(*(server.stop() for server in servers))


async def add(client: Client, text: str) -> memory_service_pb2.AddMemoriesResponse:
    return await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id="alice", messages=[memory_pb2.Message(role="user", content=text)]
        ),
        metadata=client.metadata,
    )


async def add_concurrently(clients: list[Client], *texts: str) -> list[int]:
    """The events of concurrent adds of each text to each server."""
    calls = [add(client, text) for text in texts for client in clients]
    return sorted(
        result.event for response in await asyncio.gather(*calls) for result in response.results
    )


async def listed(client: Client) -> list[memory_pb2.Memory]:
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id="alice"), metadata=client.metadata
    )
    return list(response.memories)


async def test_racing_adds_leave_one_memory_and_lose_no_update(
    clients: list[Client], witness: Witness
) -> None:
    assert await add_concurrently(clients, *["I like tea."] * 8) == [ADD]
    assert [memory.text for memory in await listed(clients[0])] == ["User likes tea"]
    # One after another: only the first was not shown the memory that it stored.
    assert [len(shown) for shown in witness.candidates] == [0] + [1] * 15

    # Each replaces the previous one, so each must have seen it: none is lost or repeated.
    cities = [f"I live in {city}." for city in ("Porto", "Lisbon", "Faro", "Braga")]
    events = await add_concurrently(clients, *cities)
    [home] = [memory for memory in await listed(clients[0]) if "lives" in memory.text]
    assert events.count(ADD) == 1
    assert home.version == len(events) == 1 + events.count(UPDATE)


async def test_fifty_deliveries_of_one_call_cost_one_inference_and_get_one_answer(
    clients: list[Client], witness: Witness
) -> None:
    request = memory_service_pb2.AddMemoriesRequest(
        user_id="alice",
        request_id=str(uuid4()),
        messages=[memory_pb2.Message(role="user", content="I like tea.")],
    )
    answers = await asyncio.gather(
        *(
            client.memory.AddMemories(request, metadata=client.metadata)
            for client in clients
            for _ in range(25)
        )
    )
    assert len(witness.candidates) == 1
    assert [result.event for result in answers[0].results] == [ADD]
    assert all(answer == answers[0] for answer in answers)
    assert [memory.text for memory in await listed(clients[0])] == ["User likes tea"]
