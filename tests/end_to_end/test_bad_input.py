"""Bad input gets the right code, names every wrong field, and stores nothing."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator

import aiohttp
import grpc
import pytest
from google.protobuf import json_format
from memoir.v1 import memory_pb2, memory_service_pb2

from tests.support.errors import ErrorDetails, details_of
from tests.support.server import (
    Client,
    Home,
    ServerProcess,
    connected,
    create_key,
    create_project,
    key_of_new,
    revoke_key,
    run_command,
)

ADD = "/memoir.v1.MemoryService/AddMemories"
SAID = [{"role": "user", "content": "I play the cello."}]
RawCall = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
INVALID = grpc.StatusCode.INVALID_ARGUMENT


def add_fields(user: str, **fields: object) -> dict[str, object]:
    body: dict[str, object] = {"user_id": user, "messages": SAID, **fields}
    return {name: value for name, value in body.items() if value is not None}


def add_request(user: str, **fields: object) -> memory_service_pb2.AddMemoriesRequest:
    return json_format.ParseDict(
        add_fields(user, **fields), memory_service_pb2.AddMemoriesRequest()
    )


async def refused(
    client: Client,
    request: memory_service_pb2.AddMemoriesRequest,
    metadata: tuple[tuple[str, str], ...] | None = None,
) -> ErrorDetails:
    chosen = client.metadata if metadata is None else metadata
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.memory.AddMemories(request, metadata=chosen)
    return details_of(caught.value)


async def stored_count(client: Client) -> int:
    response = await client.memory.ListMemories(
        memory_service_pb2.ListMemoriesRequest(page_size=1000), metadata=client.metadata
    )
    return len(response.memories)


@pytest.fixture(autouse=True)
async def nothing_is_stored(client: Client) -> AsyncIterator[None]:
    before = await stored_count(client)
    yield
    assert await stored_count(client) == before


ONE_WRONG_FIELD = pytest.mark.parametrize(
    ("fields", "violated"),
    [
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages"),
        ({"messages": [{"role": "user", "content": " \u0000 "}]}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages[0].role"),
        ({"messages": [{"content": "x"}]}, "messages[0].role"),
        (
            {"messages": [*SAID, {"role": "user", "content": "x", "name": "a\nb"}]},
            "messages[1].name",
        ),
        ({"messages": [{"role": "user", "content": "x" * (10 << 20)}]}, "messages[0].content"),
        ({"user_id": None}, "user_id"),
        ({"user_id": ""}, "user_id"),
        ({"user_id": "a\u0007b"}, "user_id"),
        ({"user_id": "x" * 257}, "user_id"),
        ({"includes": ""}, "includes"),
        ({"excludes": ""}, "excludes"),
        ({"expiration_date": "2020-01-01"}, "expiration_date"),
        ({"expiration_date": "2027-02-30"}, "expiration_date"),
        ({"expiration_date": "tomorrow"}, "expiration_date"),
        ({"timestamp": 99_999_999_999}, "timestamp"),
        ({"output_format": "v2"}, "output_format"),
        ({"version": "v3"}, "version"),
        ({"request_id": "not-a-uuid"}, "request_id"),
        ({"metadata": {"k": "x" * 70_000}}, "metadata"),
        (
            {"metadata": {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}},
            "metadata.a.b.c.d.e.f.g.h",
        ),
        ({"custom_categories": [{"name": ""}]}, "custom_categories[0].name"),
    ],
)


@ONE_WRONG_FIELD
async def test_a_wrong_field_is_named(
    client: Client, user: str, fields: dict[str, object], violated: str
) -> None:
    error = await refused(client, add_request(user, **fields))
    assert error.code is INVALID
    assert error.reason == "INVALID_FIELDS"
    assert list(error.violations) == [violated]
    assert error.request_id != ""


@ONE_WRONG_FIELD
async def test_a_wrong_field_is_named_over_http_too(
    client: Client,
    server: ServerProcess,
    user: str,
    fields: dict[str, object],
    violated: str,
) -> None:
    headers = {"authorization": f"Token {client.key}"}
    body = json.dumps(add_fields(user, **fields)).encode()
    async with (
        aiohttp.ClientSession(server.http_address, headers=headers) as session,
        session.post("/memoir/v1/memories:add", data=io.BytesIO(body)) as answer,
    ):
        assert answer.status == 400
        details = (await answer.json())["details"]
    assert details["reason"] == "ERROR_REASON_INVALID_FIELDS"
    assert [each["field"] for each in details["violations"]] == [violated]


async def test_every_wrong_field_is_named_at_once(client: Client) -> None:
    error = await refused(
        client,
        add_request(
            "",
            messages=[{"role": "robot", "content": "x"}],
            includes="",
            expiration_date="2020-01-01",
        ),
    )
    assert set(error.violations) == {
        "user_id",
        "messages[0].role",
        "includes",
        "expiration_date",
    }


async def test_a_string_that_is_not_utf8_is_named(client: Client, user: str) -> None:
    valid = add_request(user, messages=[*SAID, {"role": "user", "content": "MARK"}])
    raw = valid.SerializeToString().replace(b"MARK", b"\xff\xfe\xfdK")
    call: RawCall = client.channel.unary_unary(ADD)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(raw, metadata=client.metadata)
    error = details_of(caught.value)
    assert (error.code, error.reason) == (INVALID, "MALFORMED_REQUEST")
    assert list(error.violations) == ["messages[1].content"]


async def test_bytes_that_are_not_a_message_are_refused(client: Client) -> None:
    call: RawCall = client.channel.unary_unary(ADD)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(b"\xff\xff\xff", metadata=client.metadata)
    assert details_of(caught.value).reason == "MALFORMED_REQUEST"


@pytest.mark.parametrize(
    "metadata",
    [
        (),
        (("authorization", "Token"),),
        (("authorization", "Token mem_unknown"),),
        (("authorization", "Basic mem_unknown"),),
        (("x-api-key", "mem_unknown"),),
    ],
)
async def test_a_call_without_a_valid_key_is_refused(
    client: Client, user: str, metadata: tuple[tuple[str, str], ...]
) -> None:
    error = await refused(client, add_request(user), metadata)
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "API_KEY_INVALID")


async def test_another_project_is_refused_like_one_that_does_not_exist(
    client: Client, shared_home: Home, user: str
) -> None:
    await create_project(shared_home.postgres_dsn, "another")
    errors = [
        await refused(client, add_request(user, **names))
        for names in ({"project_id": "another"}, {"project_id": "nothing"}, {"org_id": "nobody"})
    ]
    assert {error.code for error in errors} == {grpc.StatusCode.PERMISSION_DENIED}
    assert {error.reason for error in errors} == {"PROJECT_FORBIDDEN"}
    assert len({error.message for error in errors}) == 1


async def test_a_key_of_an_organization_needs_a_project(
    client: Client, shared_home: Home, user: str
) -> None:
    environment = shared_home.environment
    await run_command("projects", "create", "of-acme", "--org", "acme", environment=environment)
    key = await create_key(environment, "--org", "acme")
    async with connected(client.address, key) as acme:
        error = await refused(acme, add_request(user))
        assert (error.code, error.reason) == (INVALID, "PROJECT_REQUIRED")
        assert list(error.violations) == ["project_id"]
        stolen = await refused(acme, add_request(user, project_id="e2e"))
        assert stolen.code is grpc.StatusCode.PERMISSION_DENIED
        response = await acme.memory.AddMemories(
            add_request(user, project_id="of-acme"), metadata=acme.metadata
        )
        assert len(response.results) == 1


async def test_a_revoked_key_is_refused(client: Client, shared_home: Home, user: str) -> None:
    environment = shared_home.environment
    key = await create_key(environment, "--project", "e2e", "--label", "to revoke")
    listed = await revoke_key(environment, "to revoke")
    error = await refused(client, add_request(user), (("authorization", f"Token {key}"),))
    assert error.reason == "API_KEY_INVALID"
    assert key not in listed


async def test_a_memory_of_another_project_is_not_found(
    client: Client, shared_home: Home, user: str
) -> None:
    added = await client.memory.AddMemories(
        memory_service_pb2.AddMemoriesRequest(
            user_id=user, infer=False, messages=[memory_pb2.Message(role="user", content="mine")]
        ),
        metadata=client.metadata,
    )
    memory_id = added.results[0].id
    async with connected(client.address, await key_of_new(shared_home)) as other:
        for call in (
            other.memory.GetMemory(
                memory_service_pb2.GetMemoryRequest(id=memory_id), metadata=other.metadata
            ),
            other.memory.DeleteMemory(
                memory_service_pb2.DeleteMemoryRequest(id=memory_id), metadata=other.metadata
            ),
        ):
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await call
            assert details_of(caught.value).reason == "MEMORY_NOT_FOUND"
        listed = await other.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(user_id=user), metadata=other.metadata
        )
        assert list(listed.memories) == []
    await client.memory.DeleteMemory(
        memory_service_pb2.DeleteMemoryRequest(id=memory_id), metadata=client.metadata
    )
