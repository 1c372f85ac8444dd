"""The whole contract as plain JSON."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from google.protobuf import json_format
from memoir.v1.memory_service_pb2 import GetMemoryRequest, SearchMemoriesRequest

from server.api.http.transcoding import Binding, bindings
from tests.support.seeds import seed_of
from tests.support.server import Client, ServerProcess

ADD = "/memoir/v1/memories:add"
STREAM_SECONDS = 20.0
EVERY_BINDING = pytest.mark.parametrize(
    "binding", list(bindings()), ids=lambda each: f"{each.http_method} {each.path}"
)


@pytest_asyncio.fixture
async def http(server: ServerProcess, key: str) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"authorization": f"Token {key}"}
    async with aiohttp.ClientSession(server.http_address, headers=headers) as session:
        yield session


async def call(
    http: aiohttp.ClientSession, method: str, path: str, status: int = 200, **more: Any
) -> Any:
    async with http.request(method, path, **more) as response:
        text = await response.text()
        assert response.status == status, text
        return json.loads(text)


async def added(http: aiohttp.ClientSession, user: str, *texts: str, **more: Any) -> Any:
    messages = [{"role": "user", "content": text} for text in texts]
    body = {"user_id": user, "infer": False, "messages": messages, **more}
    return await call(http, "POST", ADD, json=body)


def path_of(binding: Binding) -> str:
    """The path with some value for each variable."""
    values = {
        "id": "01a226dc-bb39-7313-89dc-ee8409dddfb9",
        "name": "projects/e2e/operations/01a226dc-bb39-7313-89dc-ee8409dddfb9",
    }
    if binding.template.endswith("/operations"):
        values["name"] = "projects/e2e"
    path = binding.path
    for name, value in values.items():
        path = path.replace(f"{{{name}}}", value)
    return path


@EVERY_BINDING
async def test_every_method_needs_a_key(server: ServerProcess, binding: Binding) -> None:
    async with aiohttp.ClientSession(server.http_address) as session:
        refusal = await call(session, binding.http_method, path_of(binding), 401)
    assert refusal["details"]["reason"] == "ERROR_REASON_API_KEY_INVALID"


@EVERY_BINDING
async def test_every_method_names_a_field_that_it_does_not_have(
    http: aiohttp.ClientSession, binding: Binding
) -> None:
    sent = {"json": {"no_such": 1}} if binding.has_body else {"params": {"no_such": "1"}}
    refusal = await call(http, binding.http_method, path_of(binding), 400, **sent)
    assert "no_such" in {each["field"] for each in refusal["details"]["violations"]}


async def test_answers_equal_those_of_grpc(
    http: aiohttp.ClientSession, client: Client, user: str
) -> None:
    answer = await added(http, user, "I moved to Lisbon", metadata={"rank": 1})
    memory_id = answer["results"][0]["id"]
    request = GetMemoryRequest(id=memory_id)
    expected = await client.memory.GetMemory(request, metadata=client.metadata)
    found = await call(http, "GET", f"/memoir/v1/memories/{memory_id}")
    assert json_format.ParseDict(found["memory"], type(expected.memory)()) == expected.memory
    body = {"query": "Lisbon", "user_id": user, "explain": True}
    hits = await call(http, "POST", "/memoir/v1/memories:search", json=body)
    search = await client.memory.SearchMemories(
        SearchMemoriesRequest(query="Lisbon", user_id=user, explain=True), metadata=client.metadata
    )
    assert [hit["memory"]["id"] for hit in hits["results"]] == [
        hit.memory.id for hit in search.results
    ]


async def test_lists_take_their_fields_from_the_query_or_the_body(
    http: aiohttp.ClientSession, user: str
) -> None:
    await added(http, user, "one", "two", "three")
    filters = {"user_id": user}
    query = {"filters": json.dumps(filters), "page_size": "2", "show_expired": "true"}
    first = await call(http, "GET", "/memoir/v1/memories", params=query)
    assert len(first["memories"]) == 2
    query["page_token"] = first["next_page_token"]
    second = await call(http, "GET", "/memoir/v1/memories", params=query)
    assert len(second["memories"]) == 1
    body = {"filters": filters, "page_size": 2, "show_expired": True}
    assert await call(http, "POST", "/memoir/v1/memories:list", json=body) == first


@pytest.mark.parametrize("mask", ["expiration_date,text", "expirationDate,text"])
async def test_a_memory_is_changed_deleted_and_restored(
    http: aiohttp.ClientSession, user: str, mask: str
) -> None:
    memory_id = (await added(http, user, "I live in Porto"))["results"][0]["id"]
    path = f"/memoir/v1/memories/{memory_id}"
    changes = {"text": "I live in Faro", "expiration_date": "2999-01-01"}
    body = {"changes": changes, "update_mask": mask}
    updated = (await call(http, "PATCH", path, json=body))["memory"]
    assert (updated["text"], updated["expiration_date"]) == ("I live in Faro", "2999-01-01")
    await call(http, "PATCH", path, 409, json={**body, "etag": "old"})
    await call(http, "PATCH", path, 400, json={**body, "id": "another"})
    await call(http, "DELETE", path)
    await call(http, "GET", path, 404)
    restored = await call(http, "POST", f"{path}:restore", json={"version": "1"})
    assert restored["memory"]["text"] == "I live in Porto"
    events = (await call(http, "GET", f"{path}/events"))["events"]
    assert [event["type"] for event in events] == ["ADD", "UPDATE", "DELETE", "RESTORE"]


async def test_operations_have_the_names_that_they_are_given(
    http: aiohttp.ClientSession, user: str
) -> None:
    answer = await added(http, user, "later", async_mode=True)
    path = f"/memoir/v1/{answer['operation']['name']}"
    done = await call(http, "POST", f"{path}:wait", json={"timeout": "10s"})
    assert done["done"]
    assert done["response"]["results"][0]["data"] == {"memory": "later"}
    assert (await call(http, "GET", path))["metadata"]["state"] == "STATE_SUCCEEDED"
    listed = await call(http, "GET", "/memoir/v1/projects/e2e/operations")
    assert answer["operation"]["name"] in {each["name"] for each in listed["operations"]}
    assert await call(http, "DELETE", path) == {}


async def test_streams_are_lines_of_json(http: aiohttp.ClientSession, user: str) -> None:
    watch = http.get("/memoir/v1/memories:watch", params={"user_id": user})
    async with asyncio.timeout(STREAM_SECONDS), watch as stream:
        assert stream.content_type == "application/x-ndjson"
        begin = json.loads(await stream.content.readline())
        assert begin["cursor"]
        await added(http, user, "I am seen")
        event = json.loads(await stream.content.readline())["event"]
    assert event["after"]["text"] == "I am seen"


async def test_a_stream_that_is_refused_is_an_error(http: aiohttp.ClientSession) -> None:
    query = {"cursor": "nonsense", "user_id": "x"}
    refusal = await call(http, "GET", "/memoir/v1/memories:watch", 400, params=query)
    assert refusal["details"]["violations"][0]["field"] == "cursor"


async def test_the_project_the_scopes_and_the_statistics_are_read(
    http: aiohttp.ClientSession, user: str
) -> None:
    await added(http, user, "one")
    assert (await call(http, "GET", "/memoir/v1/project"))["project"]["id"] == "e2e"
    query = {"kind": "SCOPE_KIND_USER", "page_size": "1000"}
    scopes = await call(http, "GET", "/memoir/v1/scopes", params=query)
    assert user in {scope["id"] for scope in scopes["scopes"]}
    assert "statistics" in await call(http, "GET", "/memoir/v1/statistics")
    body = {"kind": "SCOPE_KIND_USER", "id": user}
    receipt = await call(http, "POST", "/memoir/v1/scopes:delete", json=body)
    assert receipt["receipt"]["memories"] == "1"


async def test_the_openapi_document_needs_no_key(server: ServerProcess) -> None:
    async with aiohttp.ClientSession(server.http_address) as session:
        document = await call(session, "GET", "/openapi.json")
    assert "/memoir/v1/memories:add" in document["paths"]


ODD: list[Any] = [None, True, -1, 1e300, "", "\x00", "x" * 9999, [], {}, [[]], {"a": {}}, 2**63]


def odd_request(chance: random.Random, binding: Binding) -> dict[str, Any]:
    """Random bytes, or fields of the request with unusual values."""
    described: Any = binding.descriptor.input_type.fields
    names = [field.name for field in described]
    odd = {name: chance.choice(ODD) for name in chance.sample(names, min(3, len(names)))}
    if not binding.has_body:
        return {"params": {name: json.dumps(value) for name, value in odd.items()}}
    return {"data": chance.choice([chance.randbytes(40), json.dumps(odd).encode()])}


@EVERY_BINDING
async def test_no_request_causes_a_server_error(
    http: aiohttp.ClientSession, server: ServerProcess, binding: Binding
) -> None:
    chance = random.Random(seed_of("BYTES_SEED"))
    for _ in range(12):
        sent = odd_request(chance, binding)
        async with http.request(binding.http_method, path_of(binding), **sent) as response:
            # An accepted stream would never end.
            if response.status == 200 and binding.descriptor.server_streaming:
                response.close()
                continue
            text = await response.text()
        assert response.status < 500, (sent, text)
    assert "http.failed" not in server.log
    assert "rpc.failed" not in server.log
