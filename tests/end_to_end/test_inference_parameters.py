"""The effect of the parameters of an inferred add, over the wire, on both models."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import asyncpg
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support import gemini_brain
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.gemini_server import GeminiServer
from tests.support.server import Client

# Sunday, 1 November 2026, noon.
FIRST_OF_NOVEMBER = int(datetime(2026, 11, 1, 12, tzinfo=UTC).timestamp())


def said(role: str, content: str, name: str | None = None) -> memory_pb2.Message:
    return memory_pb2.Message(role=role, content=content, name=name)


async def add(
    client: Client, user: str, *messages: memory_pb2.Message, **fields: object
) -> list[str]:
    """The texts of what was added."""
    response = await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id=user,
            messages=messages,
            **fields,  # type: ignore[arg-type] # the fields' types differ
        ),
        metadata=client.metadata,
    )
    return [result.data.memory for result in response.results]


async def categories(client: Client, user: str) -> dict[str, list[str]]:
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(user_id=user), metadata=client.metadata
    )
    return {memory.text: list(memory.categories) for memory in response.memories}


def asked(endpoint: GeminiEndpoint) -> dict[str, Any]:
    """The data of the last question to the model."""
    return gemini_brain.conversation(endpoint.calls("generateContent")[-1].body)


def proposal(text: str, quote: str, message: int = 1, *named: str) -> dict[str, Any]:
    return {
        "message": message,
        "quote": quote,
        "action": "ADD",
        "text": text,
        "categories": list(named),
        "entities": [],
        "relations": [],
    }


async def configure(served: GeminiServer, instructions: str, names: list[str]) -> None:
    """Gives the project instructions and categories."""
    connection = await asyncpg.connect(served.home.postgres_dsn)
    try:
        await connection.execute(
            "UPDATE projects SET custom_instructions = $2, custom_categories = ("
            "  SELECT jsonb_agg(jsonb_build_object('name', name, 'description', ''))"
            "  FROM unnest($3::text[]) AS name) WHERE project_id = $1",
            served.project,
            instructions,
            names,
        )
    finally:
        await connection.close()


async def test_gemini_gets_includes_and_excludes_and_its_answer_is_filtered_by_them(
    on_gemini: GeminiServer,
) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    text = "I love sushi. I have diabetes. I like peanut soup."
    endpoint.answer(
        {
            "operations": [
                proposal("User loves sushi", "I love sushi", 1, "food"),
                proposal("User has diabetes", "I have diabetes", 1, "health"),
                proposal("User likes peanut soup", "I like peanut soup", 1, "food"),
            ]
        }
    )
    wishes = {"includes": "only food preferences", "excludes": "anything with peanuts"}
    assert await add(client, "alice", said("user", text), **wishes) == ["User loves sushi"]
    assert {name: asked(endpoint)[name] for name in wishes} == wishes


async def test_a_near_duplicate_of_another_message_adds_nothing(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    for text, added in (
        ("User works at Acme as a cook", ["User works at Acme as a cook"]),
        ("The user works as a cook at Acme.", []),
        (
            "The user does not work as a cook at Acme.",
            ["The user does not work as a cook at Acme."],
        ),
    ):
        endpoint.answer({"operations": [proposal(text, "my job")]})
        assert await add(client, "alice", said("user", f"This is my job: {text}")) == added
    assert len(endpoint.calls("batchEmbedContents")) == 6


async def test_gemini_gets_the_projects_settings_and_the_requests_after_them(
    on_gemini: GeminiServer,
) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    await configure(on_gemini, "Be exact.", ["boats"])
    endpoint.answer({"operations": [proposal("User sails", "I sail", 1, "boats", "food")]})
    await add(client, "alice", said("user", "I sail."), custom_instructions="Be brief.")
    assert asked(endpoint)["instructions"] == ["Be exact.", "Be brief."]
    assert asked(endpoint)["categories"] == {"boats": ""}
    assert await categories(client, "alice") == {"User sails": ["boats"]}

    garden = memory_pb2.CustomCategory(name="garden", description="plants")
    await add(client, "bob", said("user", "I dig."), custom_categories=[garden])
    assert asked(endpoint)["instructions"] == ["Be exact."]
    assert asked(endpoint)["categories"] == {"garden": "plants"}


async def test_gemini_sees_earlier_messages_only_with_version_2(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    await add(client, "alice", said("user", "I have a dog."), said("assistant", "Nice!"))
    await add(client, "alice", said("user", "I call him Rex."), version="v1")
    assert "context" not in asked(endpoint)
    await add(client, "alice", said("user", "I feed him twice a day."), version="v2")
    assert [message["content"] for message in asked(endpoint)["context"]] == [
        "I have a dog.",
        "Nice!",
        "I call him Rex.",
    ]
    await add(client, "bob", said("user", "I have a cat."), version="v2")
    assert "context" not in asked(endpoint)


async def test_gemini_counts_relative_dates_from_the_timestamp(on_gemini: GeminiServer) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    await add(client, "alice", said("user", "I moved yesterday."), timestamp=FIRST_OF_NOVEMBER)
    assert asked(endpoint)["event_time"] == "2026-11-01T12:00:00Z, Sunday"


async def test_gemini_learns_who_speaks_and_cannot_cite_system_messages(
    on_gemini: GeminiServer,
) -> None:
    client, endpoint = on_gemini.client, on_gemini.endpoint
    messages = [
        said("system", "The user lives in Rome."),
        said("user", "I live in Lisbon.", "Alice"),
        said("assistant", "I live in the cloud."),
    ]
    endpoint.answer(
        {
            "operations": [
                proposal("User lives in Rome", "The user lives in Rome", 1),
                proposal("Alice lives in Lisbon", "I live in Lisbon", 2),
                proposal("User lives in the cloud", "I live in the cloud", 2),
            ]
        }
    )
    assert await add(client, "alice", *messages) == ["Alice lives in Lisbon"]
    assert [(m["role"], m.get("name")) for m in asked(endpoint)["messages"]] == [
        ("system", None),
        ("user", "Alice"),
        ("assistant", None),
    ]


async def test_offline_includes_and_excludes_are_enforced(client: Client, user: str) -> None:
    text = "I love sushi. I have diabetes. I like peanut soup."
    kept = await add(
        client, user, said("user", text), includes="only food", excludes="anything with peanuts"
    )
    assert len(kept) == 1
    assert "sushi" in kept[0]


async def test_offline_relative_dates_count_from_the_timestamp(client: Client, user: str) -> None:
    [text] = await add(
        client, user, said("user", "I moved to Porto yesterday."), timestamp=FIRST_OF_NOVEMBER
    )
    assert "2026-10-31" in text


async def test_offline_custom_categories_are_the_only_ones(client: Client, user: str) -> None:
    garden = memory_pb2.CustomCategory(name="garden", description="roses, plants and trees")
    await add(
        client,
        user,
        said("user", "I grow roses in my garden. I love sushi."),
        custom_categories=[garden],
    )
    found = await categories(client, user)
    assert {tuple(names) for names in found.values()} == {("garden",), ()}


async def test_offline_the_words_of_others_are_not_the_users_facts(
    client: Client, user: str
) -> None:
    kept = await add(
        client,
        user,
        said("system", "The user lives in Rome."),
        said("user", "I live in Lisbon.", "Alice"),
        said("assistant", "You should visit Madrid. I hear you live in Paris."),
    )
    assert len(kept) == 1
    assert kept[0].startswith("Alice")
    assert "Lisbon" in kept[0]
