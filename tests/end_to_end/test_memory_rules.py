"""Rules for memories that hold with every model: immutability, metadata, context."""

from __future__ import annotations

from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.values import to_struct
from server.core.values import JsonObject
from tests.support import gemini_brain
from tests.support.api import add, listed
from tests.support.gemini_server import GeminiServer
from tests.support.server import Client

EVENT = memory_pb2.MemoryEvent


def change(action: str, text: str, quote: str) -> dict[str, object]:
    """A proposal about the first candidate."""
    return {
        "message": 1,
        "quote": quote,
        "action": action,
        "target": 1,
        "text": text,
        "categories": [],
        "entities": [],
        "relations": [],
    }


def events(response: memory_service_pb2.AddMemoriesResponse) -> list[int]:
    return [result.event for result in response.results]


async def test_gemini_cannot_touch_an_immutable_memory(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    await add(client, "alice", "I live in Oslo.", immutable=True)
    [before] = await listed(client, "alice")

    for action, text, said in (
        ("UPDATE", "User lives in Rome.", "I live in Rome now."),
        ("DELETE", "", "Forget where I live."),
    ):
        endpoint.answer({"operations": [change(action, text, said)]})
        assert events(await add(client, "alice", said)) == []
        question = gemini_brain.conversation(endpoint.calls("generateContent")[-1].body)
        assert question["candidates"] == [{"number": 1, "text": before.text, "immutable": True}]
        assert await listed(client, "alice") == [before]


async def test_offline_a_contradiction_leaves_an_immutable_memory_as_it_is(
    client: Client, user: str
) -> None:
    await add(client, user, "I live in Oslo.", immutable=True)
    [before] = await listed(client, user)

    for said in ("I moved to Lisbon.", "I no longer live in Oslo."):
        response = await add(client, user, said)
        assert set(events(response)) <= {EVENT.ADD}
        assert before in await listed(client, user)

    await add(client, user, "I work at Acme.")
    assert EVENT.UPDATE in events(await add(client, user, "I work at Globex now."))


async def test_gemini_merges_metadata_into_what_it_updates(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    first: JsonObject = {"source": "chat", "place": {"country": "NO", "sure": True}}
    await add(client, "alice", "I live in Oslo.", metadata=to_struct(first))
    endpoint.answer({"operations": [change("UPDATE", "User lives in Rome.", "I moved to Rome")]})
    second: JsonObject = {"place": {"country": "IT"}, "turn": 7}
    response = await add(client, "alice", "I moved to Rome.", metadata=to_struct(second))

    assert events(response) == [EVENT.UPDATE]
    [memory] = await listed(client, "alice")
    assert memory.text == "User lives in Rome."
    assert memory.metadata == to_struct({**first, **second})


async def test_offline_metadata_is_merged_into_what_is_updated(client: Client, user: str) -> None:
    await add(client, user, "I work at Acme.", metadata=to_struct({"source": "chat", "turn": 1}))
    response = await add(client, user, "I work at Globex now.", metadata=to_struct({"turn": 2}))

    assert events(response) == [EVENT.UPDATE]
    [memory] = await listed(client, user)
    assert "Globex" in memory.text
    assert memory.metadata == to_struct({"source": "chat", "turn": 2})


async def test_offline_version_2_resolves_pronouns_by_the_last_messages(
    client: Client, user: str
) -> None:
    told = [
        memory_pb2.Message(role="user", content="My sister Maria moved to Porto."),
        memory_pb2.Message(role="assistant", content="How nice!"),
    ]
    for name in (user, f"{user}-v1"):
        request = memory_service_pb2.AddMemoriesRequest(user_id=name, messages=told)
        await client.memory.AddMemories(request, metadata=client.metadata)

    with_context = await add(client, user, "She works at Globex.", version="v2")
    alone = await add(client, f"{user}-v1", "She works at Globex.", version="v1")

    [text] = [result.data.memory for result in with_context.results]
    assert "Maria" in text
    assert "Globex" in text
    assert not [result for result in alone.results if "Maria" in result.data.memory]
