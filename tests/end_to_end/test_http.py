"""The HTTP door itself: keys, errors, bounds, ids and idempotency."""

from __future__ import annotations

import asyncio
import gzip
import io
import itertools
import json
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import aiohttp
import pytest
from memoir.v1.memory_service_pb2 import ListMemoriesRequest

from tests.support.processes import eventually
from tests.support.server import Client, Home, ServerProcess, connected, key_of

ADD = "/v3/memories/add/"
V1 = "/v1/memories/"
WAIT_SECONDS = 20.0


def add_body(user: str, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hi"}], "user_id": user, "infer": False} | more


@asynccontextmanager
async def http(server: ServerProcess, key: str | None) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"authorization": f"Token {key}"} if key else {}
    async with aiohttp.ClientSession(server.http_address, headers=headers) as session:
        yield session


async def answer(response: aiohttp.ClientResponse, status: int) -> Any:
    """The JSON of a response with this status."""
    text = await response.text()
    if response.headers.get("connection") == "close":
        # The body may not have been sent completely, so the client would keep the connection.
        response.close()
    assert response.status == status, text
    assert response.content_type == "application/json"
    return json.loads(text)


@pytest.mark.parametrize("key", [None, "mem_wrong", "x y"])
async def test_a_request_without_a_valid_key_is_refused(
    server: ServerProcess, key: str | None, user: str
) -> None:
    async with http(server, key) as session:
        refusal = await answer(await session.post(ADD, data=b"not even JSON"), 401)
    assert refusal["details"]["reason"] == "ERROR_REASON_API_KEY_INVALID"
    assert set(refusal) == {"error", "details", "detail"}


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v2/memories/", b"not even JSON"), ("/v3/memories/", b"[]"), ("/v1/feedback/", b"{}")],
)
async def test_without_a_key_an_invalid_request_gets_no_violations(
    server: ServerProcess, key: str, path: str, body: bytes
) -> None:
    async with http(server, "mem_wrong") as session:
        refusal = await answer(await session.post(path, data=body), 401)
    assert refusal["details"]["reason"] == "ERROR_REASON_API_KEY_INVALID"
    async with http(server, key) as session:
        await answer(await session.post(path, data=body), 400)


async def test_every_wrong_field_is_named(server: ServerProcess, key: str) -> None:
    body = {
        "messages": [{"role": "nobody", "content": 3}],
        "metadata": 1,
        "expiration_date": "soon",
        "infer": "no",
    }
    async with http(server, key) as session:
        refusal = await answer(await session.post(V1, json=body), 400)
    named = {each["field"] for each in refusal["details"]["violations"]}
    assert named >= {
        "messages[0].role",
        "messages[0].content",
        "metadata",
        "expiration_date",
        "infer",
        "user_id",
    }
    assert all(field in refusal["detail"] for field in named)


async def test_the_shapes_are_those_of_the_reference(
    server: ServerProcess, key: str, user: str
) -> None:
    async with http(server, key) as session:
        (plain,) = await answer(await session.post(V1, json=add_body(user)), 200)
        body = add_body(f"{user}-2", output_format="v1.1")
        newer = await answer(await session.post(V1, json=body), 200)
        body = add_body(f"{user}-3", async_mode=True)
        (pending,) = await answer(await session.post(V1, json=body), 200)
    assert {**plain, "id": ""} == {"id": "", "data": {"memory": "hi"}, "event": "ADD"}
    assert set(newer) == {"results", "relations"}
    assert set(newer["results"][0]) == {"id", "data", "event"}
    assert set(pending) == {"message", "status", "event_id"}


async def test_an_idempotency_key_has_one_effect(
    server: ServerProcess, client: Client, key: str, user: str
) -> None:
    for sent in (str(uuid4()), "order 66 / attempt"):
        headers = {"idempotency-key": sent}
        who = f"{user}-{len(sent)}"
        async with http(server, key) as session:
            first = await answer(await session.post(V1, json=add_body(who), headers=headers), 200)
            again = await answer(await session.post(V1, json=add_body(who), headers=headers), 200)
            other = add_body(who, metadata={"a": 1})
            await answer(await session.post(V1, json=other, headers=headers), 409)
        assert first == again
        listed = await client.memory.ListMemories(
            ListMemoriesRequest(user_id=who), metadata=client.metadata
        )
        assert len(listed.memories) == 1


async def test_the_trace_and_the_correlation_id_are_returned(
    server: ServerProcess, key: str, user: str
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"x-correlation-id": "my-id", "traceparent": trace}
    async with http(server, key) as session:
        response = await session.post(ADD, json=add_body(user), headers=headers)
        await answer(response, 200)
        assert response.headers["x-correlation-id"] == "my-id"
        assert response.headers["traceparent"][3:35] == trace[3:35]
        response = await session.post(ADD, json={}, headers=headers)
        refusal = await answer(response, 400)
    assert response.headers["x-correlation-id"] == "my-id"
    assert refusal["details"]["correlation_id"] == "my-id"
    assert '"correlation_id":"my-id"' in server.log


async def test_fields_without_a_meaning_are_reported(
    server: ServerProcess, key: str, user: str
) -> None:
    body = add_body(user, enable_graph=True, **{"a\r\nb": 1})
    async with http(server, key) as session:
        response = await session.post(ADD, json=body)
        await answer(response, 200)
    assert response.headers["memoir-ignored"] == "enable_graph, a\\r\\nb"


async def test_the_notices_of_an_add_are_in_a_header(
    server: ServerProcess, key: str, user: str
) -> None:
    said = {
        "messages": [{"role": "user", "content": "Forget that I own a yacht."}],
        "user_id": user,
    }
    async with http(server, key) as session:
        response = await session.post(V1, json=said)
        assert await answer(response, 200) == []
        assert "No memory matched" in response.headers["memoir-notice"]
        response = await session.post(ADD, json=said | {"async_mode": False})
        assert (await answer(response, 200))["results"] == []
        assert "No memory matched" in response.headers["memoir-notice"]
        event_id = (await answer(await session.post(ADD, json=said), 200))["event_id"]

        async def has_succeeded() -> bool:
            response = await session.get(f"/v1/event/{event_id}/")
            if (await answer(response, 200))["status"] != "SUCCEEDED":
                return False
            assert "No memory matched" in response.headers["memoir-notice"]
            return True

        await eventually(has_succeeded, WAIT_SECONDS)


async def test_a_deletion_that_contradicts_itself_deletes_nothing(
    server: ServerProcess, client: Client, key: str, user: str
) -> None:
    async with http(server, key) as session:
        await answer(await session.post(ADD, json=add_body(user)), 200)
        query = {"user_id": f"not-{user}", "filters": json.dumps({"user_id": user})}
        await answer(await session.delete(V1, params=query), 200)
        query = {"filters": str({"AND": [{"user_id": "x"}, {"user_id": user}]})}
        await answer(await session.delete(V1, params=query), 400)
    listed = await client.memory.ListMemories(
        ListMemoriesRequest(user_id=user), metadata=client.metadata
    )
    assert len(listed.memories) == 1


@pytest.mark.parametrize(
    ("query", "body", "wrong"),
    [
        ({"categories": "food"}, None, "categories"),
        ({"filter": '{"text": "x"}'}, None, "filter"),
        ({"filters": "{}"}, None, "filters"),
        ({"filters": "null"}, None, "filters"),
        ({"metadata": "{}"}, None, "metadata"),
        ({"filters": '{"metadata": {}}'}, None, "filters.metadata"),
        ({"filters": '{"AND": []}'}, None, "filters.AND"),
        ({"filters": '{"text": "x", "metadata": {}}'}, None, "filters.metadata"),
        ({"user_id": "somebody"}, None, "user_id"),
        ({}, {"filters": {"text": "x"}}, ""),
    ],
)
async def test_a_deletion_that_is_not_understood_deletes_nothing(
    server: ServerProcess,
    client: Client,
    key: str,
    user: str,
    query: dict[str, str],
    body: Any,
    wrong: str,
) -> None:
    async with http(server, key) as session:
        await answer(await session.post(ADD, json=add_body(user)), 200)
        sent = [("user_id", user), *query.items()]
        refusal = await answer(await session.delete(V1, params=sent, json=body), 400)
    assert [each["field"] for each in refusal["details"]["violations"]] == [wrong]
    listed = await client.memory.ListMemories(
        ListMemoriesRequest(user_id=user), metadata=client.metadata
    )
    assert len(listed.memories) == 1


async def test_a_deletion_of_a_user_takes_no_other_fields(
    server: ServerProcess, client: Client, key: str, user: str
) -> None:
    path = f"/v2/entities/user/{user}/"
    async with http(server, key) as session:
        await answer(await session.post(ADD, json=add_body(user)), 200)
        refusal = await answer(await session.delete(path, params={"categories": "food"}), 400)
        assert [each["field"] for each in refusal["details"]["violations"]] == ["categories"]
        await answer(await session.delete(path, json={"filters": {"text": "x"}}), 400)
        request = ListMemoriesRequest(user_id=user)
        listed = await client.memory.ListMemories(request, metadata=client.metadata)
        assert len(listed.memories) == 1
        await answer(await session.delete(path), 200)
        listed = await client.memory.ListMemories(request, metadata=client.metadata)
    assert not listed.memories


async def test_batches_name_fields_as_they_were_sent(server: ServerProcess, key: str) -> None:
    memories = [{"memory_id": 3, "text": 4}, {"memory_id": "x", "timestamp": 5}]
    async with http(server, key) as session:
        response = await session.put("/v1/batch/", json={"memories": memories})
        refusal = await answer(response, 400)
    named = {each["field"] for each in refusal["details"]["violations"]}
    assert named >= {"memories[0].memory_id", "memories[0].text", "memories[1].timestamp"}
    assert refusal["details"]["correlation_id"] == response.headers["x-correlation-id"]


async def test_unknown_paths_and_methods_are_refused(server: ServerProcess, key: str) -> None:
    async with http(server, key) as session:
        await answer(await session.get("/v9/memories/"), 404)
        # No redirect either, which Mem0's clients would not follow.
        await answer(await session.get("/v1/ping"), 404)
        response = await session.patch("/v1/ping/")
        await answer(response, 405)
        assert "GET" in response.headers["allow"]
        await answer(await session.options(ADD, headers={"origin": "https://evil.example"}), 405)
        response = await session.get("/v1/ping/", headers={"origin": "https://evil.example"})
        await answer(response, 200)
    assert not [name for name in response.headers if name.lower().startswith("access-control")]


async def test_bodies_are_bounded(server: ServerProcess, key: str, user: str) -> None:
    limit = 16 * 1024 * 1024
    bomb = gzip.compress(b" " * (limit + 1))
    async with http(server, key) as session:
        await answer(await session.post(ADD, data=io.BytesIO(b" " * (limit + 1))), 413)
        zipped = {"content-encoding": "gzip"}
        await answer(await session.post(ADD, data=bomb, headers=zipped), 413)
        await answer(await session.post(ADD, data=b"no gzip", headers=zipped), 400)
        await answer(await session.post(ADD, data=bomb[:100], headers=zipped), 400)
        await answer(await session.post(ADD, data=b"{}", headers={"content-encoding": "br"}), 415)
        body = gzip.compress(json.dumps(add_body(user)).encode())
        await answer(await session.post(ADD, data=body, headers=zipped), 200)


async def test_a_deadline_ends_the_call(server: ServerProcess, key: str, user: str) -> None:
    async with http(server, key) as session:
        headers = {"x-server-timeout": "0.000001"}
        late = await answer(await session.post(ADD, json=add_body(user), headers=headers), 504)
        assert late["details"]["reason"] == "ERROR_REASON_DEADLINE_EXCEEDED"
        for wrong in ("0", "-1", "nan", "soon"):
            headers = {"x-server-timeout": wrong}
            await answer(await session.post(ADD, json=add_body(user), headers=headers), 400)


async def test_a_project_beyond_its_rate_gets_a_retry_delay(home: Home) -> None:
    server = home.server(MEMOIR_ADMISSION_PROJECT_RATE="0.5", MEMOIR_ADMISSION_PROJECT_BURST="1")
    await server.start()
    async with http(server, await key_of(home)) as session:
        await answer(await session.get("/v1/ping/"), 200)
        response = await session.get("/v1/ping/")
        refusal = await answer(response, 429)
    assert refusal["details"]["reason"] == "ERROR_REASON_RATE_LIMITED"
    assert 1 <= int(response.headers["retry-after"]) <= 2
    await server.stop()


async def test_another_project_is_forbidden(server: ServerProcess, key: str, user: str) -> None:
    async with http(server, key) as session:
        response = await session.get("/v1/ping/", params={"project_id": "someone-elses"})
        await answer(response, 403)
        await answer(await session.post(ADD, json=add_body(user, org_id="other")), 403)


async def test_random_bytes_and_values_end_in_a_client_error(
    server: ServerProcess, key: str
) -> None:
    chance = random.Random(21)
    values: list[Any] = [None, True, -1, 1e300, "", "\x00", "x" * 9999, [], {}, [[]], {"a": {}}]
    names = ["messages", "filters", "user_id", "query", "metadata", "top_k", "memories", "text"]
    paths = [ADD, V1, "/v3/memories/search/", "/v3/memories/", "/v1/feedback/", "/v1/exports/get/"]
    async with http(server, key) as session:
        for _ in range(60):
            raw = chance.randbytes(chance.randrange(200))
            mixed = {name: chance.choice(values) for name in chance.sample(names, 4)}
            for body in (raw, json.dumps(mixed).encode()):
                response = await session.post(chance.choice(paths), data=body)
                text = await response.text()
                assert response.status < 500, (body, text)
        for _ in range(30):
            mixed = {"memories": [{n: chance.choice(values) for n in ("memory_id", *names)}]}
            response = await session.put("/v1/batch/", json=mixed)
            text = await response.text()
            assert response.status < 500, (mixed, text)
    assert "http.failed" not in server.log
    assert "rpc.failed" not in server.log


async def test_http_calls_count_in_the_statistics_of_their_method(
    server: ServerProcess, client: Client, key: str, user: str
) -> None:
    async with http(server, key) as session:
        headers = {"x-correlation-id": f"counted-{user}"}
        await answer(await session.post(ADD, json=add_body(user), headers=headers), 200)
    (line,) = [each for each in server.log.splitlines() if f"counted-{user}" in each]
    assert json.loads(line)["method"] == "memoir.v1.MemoryService/AddMemories"
    assert json.loads(line)["code"] == "OK"
    assert json.loads(line)["project_id"] == "e2e"


async def test_a_client_that_leaves_ends_its_call(
    server: ServerProcess, key: str, user: str
) -> None:
    headers = {"x-correlation-id": f"left-{user}"}
    async with http(server, key) as session:
        query = {"user_id": user}
        response = await session.get("/memoir/v1/memories:watch", params=query, headers=headers)
        await response.content.readline()
        response.close()

    async def is_cancelled() -> bool:
        lines = [line for line in server.log.splitlines() if f"left-{user}" in line]
        return any(json.loads(line).get("code") == "CANCELLED" for line in lines)

    await eventually(is_cancelled, WAIT_SECONDS, "the end of the call")


async def test_several_processes_serve_http_on_one_port(home: Home) -> None:
    server = home.server(MEMOIR_WORKERS="2")
    await server.start()
    key = await key_of(home)
    for _ in range(8):
        async with http(server, key) as session:
            asked = await answer(await session.get("/v1/ping/"), 200)
            assert asked["project_id"] == home.project
    assert await server.stop() == 0


async def test_a_stopping_server_fails_no_call_that_it_accepted(home: Home, user: str) -> None:
    server = home.server()
    await server.start()
    key = await key_of(home)
    statuses: list[int] = []
    stopped = asyncio.Event()

    async def add_until_stopped(number: int) -> None:
        async with http(server, key) as session:
            for count in itertools.count():
                messages = [{"role": "user", "content": f"note {number} {count}"}]
                try:
                    response = await session.post(ADD, json=add_body(user, messages=messages))
                except aiohttp.ClientConnectorError:
                    # Nothing listens there any more.
                    return
                except aiohttp.ClientConnectionError:
                    # An idle connection was closed just when it was used again.
                    assert stopped.is_set()
                    return
                await response.read()
                statuses.append(response.status)
                if response.status != 200:
                    return

    adding = [asyncio.create_task(add_until_stopped(number)) for number in range(8)]

    async def is_busy() -> bool:
        return len(statuses) > 20

    await eventually(is_busy, WAIT_SECONDS, "some adds")
    stopped.set()
    assert await server.stop() == 0
    await asyncio.gather(*adding)
    assert set(statuses) <= {200, 503}
    await server.start()
    async with connected(server.address, key) as client:
        listed = await client.memory.ListMemories(
            ListMemoriesRequest(user_id=user, page_size=1000), metadata=client.metadata
        )
    assert len(listed.memories) >= statuses.count(200)
    await server.stop()


async def test_a_connection_that_sends_no_request_is_closed(home: Home) -> None:
    server = home.server(MEMOIR_HTTP_IDLE_SECONDS="1")
    await server.start()
    host, port = server.http_address.removeprefix("http://").split(":")
    for begun in (b"", b"GET /v1/ping/ HTTP/1.1\r\nhost: x\r\n"):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(begun)
        assert await asyncio.wait_for(reader.read(), WAIT_SECONDS) == b""
        writer.close()
    await server.stop()
