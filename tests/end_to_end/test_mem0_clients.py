"""Mem0's own clients, unchanged, against the HTTP door, compared with reads over gRPC."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import pytest
import pytest_asyncio
from google.protobuf.json_format import MessageToDict
from memoir.v1.memory_pb2 import Memory
from memoir.v1.memory_service_pb2 import (
    AddMemoriesRequest,
    GetMemoryRequest,
    ListMemoriesRequest,
    ListMemoryEventsRequest,
)

from tests.support.mem0_clients import VERSIONS, Mem0Client, Mem0Error, mem0_client
from tests.support.processes import eventually
from tests.support.server import Client, Home, ServerProcess, connected, key_of_new

EVENT_SECONDS = 20.0


@pytest_asyncio.fixture(scope="module")
async def own(shared_home: Home, server: ServerProcess) -> AsyncIterator[Client]:
    """A client of a project of its own, because these tests delete everything in it."""
    async with connected(server.address, await key_of_new(shared_home)) as client:
        yield client


class Clients:
    """The processes with Mem0's clients, each started once, because its imports take seconds."""

    def __init__(self, stack: AsyncExitStack, directory: Path) -> None:
        self._stack = stack
        self._directory = directory
        self._started: dict[str, Mem0Client] = {}

    async def of(self, version: str) -> Mem0Client:
        """Returns the process with this version."""
        if version not in self._started:
            client = mem0_client(version, self._directory / version)
            self._started[version] = await self._stack.enter_async_context(client)
        return self._started[version]


@pytest_asyncio.fixture(scope="module")
async def clients(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Clients]:
    async with AsyncExitStack() as stack:
        yield Clients(stack, tmp_path_factory.mktemp("mem0"))


@pytest_asyncio.fixture(
    scope="module",
    params=[(version, kind) for version in VERSIONS for kind in ("sync", "async")],
    ids="-".join,
)
async def versioned(
    request: pytest.FixtureRequest, clients: Clients, server: ServerProcess, own: Client
) -> tuple[str, Mem0Client]:
    version, kind = request.param
    client = await clients.of(version)
    await client.connect(kind, server.http_address, own.key)
    return version, client


@pytest.fixture
def version(versioned: tuple[str, Mem0Client]) -> str:
    return versioned[0]


@pytest.fixture
def mem0(versioned: tuple[str, Mem0Client]) -> Mem0Client:
    return versioned[1]


def user_message(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def results(answer: Any) -> list[dict[str, Any]]:
    """The memories of an answer, which older clients return as a bare list."""
    found: list[dict[str, Any]] = answer["results"] if isinstance(answer, dict) else answer
    return found


async def stored(own: Client, user: str) -> dict[str, Memory]:
    """The memories of a user, as read over gRPC."""
    request = ListMemoriesRequest(user_id=user, page_size=1000)
    response = await own.memory.ListMemories(request, metadata=own.metadata)
    return {memory.id: memory for memory in response.memories}


async def kept(own: Client, user: str, *texts: str) -> list[str]:
    """The ids of memories stored over gRPC."""
    request = AddMemoriesRequest(user_id=user, infer=False)
    for text in texts:
        request.messages.add(role="user", content=text)
    response = await own.memory.AddMemories(request, metadata=own.metadata)
    return [result.id for result in response.results]


async def add_verbatim(version: str, mem0: Mem0Client, user: str, text: str, **more: Any) -> str:
    """Stores one message with the client and returns the memory's id."""
    if version.startswith("1."):
        more["async_mode"] = False
    answer = await mem0.call("add", user_message(text), user_id=user, infer=False, **more)
    (result,) = results(answer)
    assert result["data"] == {"memory": text}
    assert result["event"] == "ADD"
    added: str = result["id"]
    return added


async def listed(version: str, mem0: Mem0Client, user: str, **more: Any) -> list[dict[str, Any]]:
    if version.startswith("2."):
        return results(await mem0.call("get_all", filters={"user_id": user}, **more))
    return results(await mem0.call("get_all", user_id=user, **more))


async def searched(version: str, mem0: Mem0Client, user: str, query: str, **more: Any) -> Any:
    if version.startswith("2."):
        return await mem0.call("search", query, filters={"user_id": user}, **more)
    return await mem0.call("search", query, user_id=user, **more)


async def test_a_verbatim_add_is_what_grpc_reads(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    metadata = {"source": "chat", "rank": 3}
    added = await add_verbatim(version, mem0, user, "I moved to Lisbon", metadata=metadata)
    memory = (await stored(own, user))[added]
    assert memory.text == "I moved to Lisbon"
    assert dict(memory.metadata) == metadata


async def test_get_answers_the_memory(mem0: Mem0Client, own: Client, user: str) -> None:
    (memory_id,) = await kept(own, user, "I play the cello")
    found = await mem0.call("get", memory_id)
    memory = (await stored(own, user))[memory_id]
    assert found["id"] == memory_id
    assert found["memory"] == memory.text
    assert found["user_id"] == user
    assert found["agent_id"] is None
    assert found["created_at"] == memory.create_time.ToJsonString()


async def event(server: ServerProcess, own: Client, event_id: str) -> dict[str, Any]:
    """The event, which only Mem0's command line and plug-ins poll."""
    headers = {"authorization": f"Token {own.key}"}
    url = f"{server.http_address}/v1/event/{event_id}/"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
        assert response.status == 200
        found: dict[str, Any] = await response.json()
        return found


async def test_an_inferred_add_is_an_event_that_ends(
    version: str, mem0: Mem0Client, own: Client, server: ServerProcess, user: str
) -> None:
    answer = await mem0.call("add", user_message("I work at Acme."), user_id=user)
    if version.startswith("0."):
        # The reference's default of `async_mode`, with the shape of v1.1.
        assert {each["id"] for each in answer["results"]} == set(await stored(own, user))
        assert answer["relations"]
        assert {"source", "relationship", "target"} <= set(answer["relations"][0])
        return
    pending = answer[0] if isinstance(answer, list) else answer
    assert pending["status"] == "PENDING"

    async def ended() -> bool:
        status: str = (await event(server, own, pending["event_id"]))["status"]
        return status == "SUCCEEDED"

    await eventually(ended, EVENT_SECONDS, "the event")
    results_of_event = (await event(server, own, pending["event_id"]))["results"]
    assert {each["id"] for each in results_of_event} == set(await stored(own, user))
    assert results_of_event[0]["event"] == "ADD"


async def test_search_finds_what_grpc_stored(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    await kept(own, user, "I play the cello", "I moved to Lisbon", "I am allergic to nuts")
    answer = await searched(version, mem0, user, "Lisbon", top_k=2)
    hits = results(answer)
    memories = await stored(own, user)
    assert 1 <= len(hits) <= 2
    assert hits[0]["memory"] == "I moved to Lisbon"
    assert all(memories[hit["id"]].text == hit["memory"] for hit in hits)
    assert hits == sorted(hits, key=lambda hit: -hit["score"])


async def test_lists_hold_what_grpc_stored(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    await kept(own, user, "one", "two", "three")
    found = await listed(version, mem0, user)
    assert {each["id"]: each["memory"] for each in found} == {
        memory_id: memory.text for memory_id, memory in (await stored(own, user)).items()
    }


async def test_pages_count_everything_and_repeat_nothing(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    await kept(own, user, *(f"number {number}" for number in range(5)))
    filters = {"AND": [{"user_id": user}]}
    more = {"version": "v2"} if version.startswith("0.") else {}
    pages = [
        await mem0.call("get_all", filters=filters, page=page, page_size=2, **more)
        for page in (1, 2, 3)
    ]
    assert [page["count"] for page in pages] == [5, 5, 5]
    assert [len(page["results"]) for page in pages] == [2, 2, 1]
    assert pages[0]["previous"] is None
    assert "page=2" in pages[0]["next"]
    assert pages[2]["next"] is None
    ids = [each["id"] for page in pages for each in page["results"]]
    assert sorted(ids) == sorted(await stored(own, user))


async def test_filters_select_what_they_describe(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    kept_one = await add_verbatim(version, mem0, user, "I like tea", metadata={"topic": "drink"})
    await add_verbatim(version, mem0, user, "I like bread", metadata={"topic": "food"})
    more = {"version": "v2"} if version.startswith("0.") else {}
    filters = {
        "AND": [
            {"user_id": user},
            {"metadata": {"topic": "drink"}},
            {"created_at": {"gte": "2020-01-01"}},
        ]
    }
    found = results(await mem0.call("get_all", filters=filters, **more))
    assert [each["id"] for each in found] == [kept_one]


async def test_update_changes_text_and_metadata(mem0: Mem0Client, own: Client, user: str) -> None:
    (memory_id,) = await kept(own, user, "I live in Porto")
    await mem0.call("update", memory_id, text="I live in Faro", metadata={"checked": True})
    memory = (await stored(own, user))[memory_id]
    assert memory.text == "I live in Faro"
    assert dict(memory.metadata) == {"checked": True}


async def test_an_expiration_date_is_set_and_cleared(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    if not version.startswith("2."):
        pytest.skip("older clients cannot change it")
    (memory_id,) = await kept(own, user, "I am away")
    await mem0.call("update", memory_id, expiration_date="2999-01-31")
    assert (await stored(own, user))[memory_id].expiration_date == "2999-01-31"
    await mem0.call("update", memory_id, expiration_date=None)
    assert not (await stored(own, user))[memory_id].HasField("expiration_date")


async def test_delete_removes_the_memory(mem0: Mem0Client, own: Client, user: str) -> None:
    (memory_id,) = await kept(own, user, "I forget")
    assert "message" in await mem0.call("delete", memory_id)
    assert not await stored(own, user)


async def test_delete_all_removes_the_scope_and_no_other(
    mem0: Mem0Client, own: Client, user: str
) -> None:
    other = f"other-{uuid4()}"
    await kept(own, user, "one", "two")
    await kept(own, other, "three")
    assert "message" in await mem0.call("delete_all", user_id=user)
    assert not await stored(own, user)
    assert len(await stored(own, other)) == 1


async def test_delete_all_accepts_filters_in_pythons_notation(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    await kept(own, user, "it's one")
    await mem0.call("delete_all", filters={"user_id": user})
    assert not await stored(own, user)


async def test_delete_all_without_arguments_is_refused(
    mem0: Mem0Client, own: Client, user: str
) -> None:
    await kept(own, user, "I stay")
    with pytest.raises(Mem0Error, match="user_id"):
        await mem0.call("delete_all")
    assert len(await stored(own, user)) == 1


async def test_history_has_every_event(mem0: Mem0Client, own: Client, user: str) -> None:
    (memory_id,) = await kept(own, user, "I live in Porto")
    await mem0.call("update", memory_id, text="I live in Faro")
    await mem0.call("delete", memory_id)
    history = await mem0.call("history", memory_id)
    assert [event["event"] for event in history] == ["ADD", "UPDATE", "DELETE"]
    assert [event["old_memory"] for event in history] == [None, "I live in Porto", "I live in Faro"]
    assert [event["new_memory"] for event in history] == ["I live in Porto", "I live in Faro", None]
    assert {event["user_id"] for event in history} == {user}
    request = ListMemoryEventsRequest(id=memory_id)
    events = (await own.memory.ListMemoryEvents(request, metadata=own.metadata)).events
    assert [event["created_at"] for event in history] == [e.time.ToJsonString() for e in events]


async def test_users_are_listed_and_deleted(mem0: Mem0Client, own: Client, user: str) -> None:
    await kept(own, user, "one", "two")
    users = (await mem0.call("users"))["results"]
    (found,) = [each for each in users if each["name"] == user]
    assert (found["type"], found["total_memories"]) == ("user", 2)
    await mem0.call("delete_users", user_id=user)
    assert not await stored(own, user)
    assert user not in {each["name"] for each in (await mem0.call("users"))["results"]}


async def test_batches_change_and_delete(mem0: Mem0Client, own: Client, user: str) -> None:
    first, second = await kept(own, user, "one", "two")
    await mem0.call(
        "batch_update",
        [{"memory_id": first, "text": "uno"}, {"memory_id": second, "metadata": {"n": 2}}],
    )
    memories = await stored(own, user)
    assert (memories[first].text, memories[second].text) == ("uno", "two")
    assert dict(memories[second].metadata) == {"n": 2}
    await mem0.call("batch_delete", [{"memory_id": first}, {"memory_id": second}])
    assert not await stored(own, user)


async def test_a_batch_that_fails_in_part_says_where(
    mem0: Mem0Client, own: Client, user: str
) -> None:
    (memory_id,) = await kept(own, user, "one")
    with pytest.raises(Mem0Error, match=r"memories\[1\]\.memory_id"):
        await mem0.call("batch_delete", [{"memory_id": memory_id}, {"memory_id": str(uuid4())}])
    assert not await stored(own, user)


async def test_exports_are_what_is_stored(mem0: Mem0Client, own: Client, user: str) -> None:
    await kept(own, user, "one", "two")
    created = await mem0.call("create_memory_export", schema="{}", user_id=user)
    exported = await mem0.call("get_memory_export", memory_export_id=created["id"])
    assert {each["id"] for each in exported["memories"]} == set(await stored(own, user))


async def test_feedback_is_kept_with_the_memory(
    version: str, mem0: Mem0Client, own: Client, user: str
) -> None:
    (memory_id,) = await kept(own, user, "one")
    sent = {"feedback": "NEGATIVE", "feedback_reason": "not true any more"}
    if version.startswith("2."):
        assert (await mem0.call("feedback", memory_id, **sent)).items() >= sent.items()
    else:
        # These clients fail on any response, because they then report their own usage.
        with pytest.raises(Mem0Error, match="capture_client_event"):
            await mem0.call("feedback", memory_id, **sent)
    metadata = (await stored(own, user))[memory_id].metadata
    assert MessageToDict(metadata)["feedback"] == sent


async def test_the_project_is_read_and_changed(mem0: Mem0Client) -> None:
    categories = [{"travel": "Journeys and places"}]
    await mem0.call(
        "project.update", custom_instructions="Only facts.", custom_categories=categories
    )
    found = await mem0.call("project.get", fields=["custom_instructions", "custom_categories"])
    assert found == {"custom_instructions": "Only facts.", "custom_categories": categories}
    await mem0.call("project.update", custom_instructions="", custom_categories=[])


async def test_invalid_arguments_are_named(version: str, mem0: Mem0Client, user: str) -> None:
    more = {"async_mode": False} if version.startswith("1.") else {}
    with pytest.raises(Mem0Error) as caught:
        await mem0.call(
            "add",
            [{"role": "nobody", "content": "x"}],
            user_id=user,
            expiration_date="tomorrow",
            **more,
        )
    assert "messages[0].role" in str(caught.value)
    assert "expiration_date" in str(caught.value)


async def test_an_unknown_memory_is_not_found(version: str, mem0: Mem0Client) -> None:
    with pytest.raises(Mem0Error, match="there is no such memory") as caught:
        await mem0.call("get", str(uuid4()))
    # The asynchronous methods of older clients raise httpx's own errors.
    if version.startswith("2."):
        assert caught.value.kind == "MemoryNotFoundError"


async def test_a_method_that_is_not_offered_is_refused(mem0: Mem0Client) -> None:
    with pytest.raises(Mem0Error, match="does not offer"):
        await mem0.call("get_summary", {"user_id": "x"})


async def test_reset_deletes_everything(mem0: Mem0Client, own: Client, user: str) -> None:
    await kept(own, user, "one")
    await mem0.call("reset")
    everything = await own.memory.ListMemories(ListMemoriesRequest(), metadata=own.metadata)
    assert not everything.memories


async def test_a_wrong_key_stops_the_constructor(clients: Clients, server: ServerProcess) -> None:
    for version in VERSIONS:
        client = await clients.of(version)
        with pytest.raises(Mem0Error, match="API key"):
            await client.connect("sync", server.http_address, "mem_wrong")


async def test_grpc_sees_the_memory_that_http_deleted_as_gone(
    mem0: Mem0Client, own: Client, user: str
) -> None:
    (memory_id,) = await kept(own, user, "one")
    await mem0.call("delete", memory_id)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await own.memory.GetMemory(GetMemoryRequest(id=memory_id), metadata=own.metadata)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
