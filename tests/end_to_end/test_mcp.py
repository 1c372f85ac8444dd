"""The tools of the Model Context Protocol, driven by the official client over both transports."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx2
import pytest
from mcp import Client as McpClient
from mcp import StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from memoir.v1.memory_service_pb2 import AddMemoriesRequest, ListMemoriesRequest

from tests.support.processes import eventually
from tests.support.server import Client, ServerProcess, clean_environment

GRAPH_SECONDS = 20.0
READING = {"search_memories", "list_memories", "get_memory", "entity_graph"}
DESTROYING = {"update_memory", "delete_memory", "forget"}


@asynccontextmanager
async def over_http(server: ServerProcess, key: str, user: str) -> AsyncIterator[McpClient]:
    headers = {"authorization": f"Bearer {key}", "memoir-user-id": user}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"{server.http_address}/mcp", http_client=http)
        async with McpClient(transport) as tools:
            yield tools


@asynccontextmanager
async def over_stdio(server: ServerProcess, key: str, user: str) -> AsyncIterator[McpClient]:
    command = StdioServerParameters(
        command=sys.executable,
        args=["-m", "memoir.mcp.stdio"],
        env=clean_environment(
            MEMOIR_ADDRESS=server.address, MEMOIR_API_KEY=key, MEMOIR_USER_ID=user
        ),
    )
    async with McpClient(stdio_client(command)) as tools:
        yield tools


EACH_TRANSPORT = pytest.mark.parametrize("connect", [over_http, over_stdio])


async def call(tools: McpClient, tool: str, /, **arguments: Any) -> Any:
    """The structured output of a tool."""
    result = await tools.call_tool(tool, arguments)
    assert not result.is_error, result.content
    return result.structured_content


async def failure(tools: McpClient, tool: str, /, **arguments: Any) -> str:
    """What a tool that fails says."""
    result = await tools.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return str(result.content)


async def kept(client: Client, user: str, text: str) -> str:
    request = AddMemoriesRequest(user_id=user, infer=False)
    request.messages.add(role="user", content=text)
    response = await client.memory.AddMemories(request, metadata=client.metadata)
    return response.results[0].id


async def stored(client: Client, user: str) -> dict[str, str]:
    """The memories of a user, as read over gRPC."""
    request = ListMemoriesRequest(user_id=user)
    response = await client.memory.ListMemories(request, metadata=client.metadata)
    return {memory.id: memory.text for memory in response.memories}


@EACH_TRANSPORT
async def test_the_tools_say_what_they_do(
    connect: Any, server: ServerProcess, key: str, user: str
) -> None:
    async with connect(server, key, user) as tools:
        offered = {tool.name: tool for tool in (await tools.list_tools()).tools}
    assert set(offered) == READING | DESTROYING | {"add_memory"}
    for name, tool in offered.items():
        assert tool.description
        assert tool.output_schema
        assert tool.annotations is not None
        assert bool(tool.annotations.read_only_hint) == (name in READING)
        assert bool(tool.annotations.destructive_hint) == (name in DESTROYING)
        # No argument names the user.
        assert not {"user_id", "agent_id", "app_id", "run_id"} & set(
            tool.input_schema["properties"]
        )


@EACH_TRANSPORT
async def test_memories_are_added_found_changed_and_deleted(
    connect: Any, server: ServerProcess, client: Client, key: str, user: str
) -> None:
    async with connect(server, key, user) as tools:
        added = await call(tools, "add_memory", text="I work at Acme.")
        assert added["changes"][0]["event"] == "ADD"
        memory_id = added["changes"][0]["id"]
        assert await stored(client, user) == {memory_id: added["changes"][0]["text"]}
        found = await call(tools, "search_memories", query="Acme")
        assert found["hits"][0]["id"] == memory_id
        await call(tools, "update_memory", memory_id=memory_id, text="User works at Globex")
        assert await stored(client, user) == {memory_id: "User works at Globex"}
        read = await call(tools, "get_memory", memory_id=memory_id)
        assert read["text"] == "User works at Globex"
        await call(tools, "add_memory", text="exactly so", verbatim=True)
        listed = await call(tools, "list_memories", limit=1)
        assert [each["text"] for each in listed["memories"]] == ["exactly so"]
        assert listed["more"]
        assert (await call(tools, "delete_memory", memory_id=memory_id))["id"] == memory_id
    assert list((await stored(client, user)).values()) == ["exactly so"]


@EACH_TRANSPORT
async def test_what_is_to_be_forgotten_is_deleted(
    connect: Any, server: ServerProcess, client: Client, key: str, user: str
) -> None:
    async with connect(server, key, user) as tools:
        await call(tools, "add_memory", text="I work at Acme.")
        forgotten = await call(tools, "forget", what="I work at Acme")
        assert [each["event"] for each in forgotten["changes"]] == ["DELETE"]
        assert not await stored(client, user)
        assert (await call(tools, "forget", what="I play chess"))["notices"]


@EACH_TRANSPORT
async def test_the_graph_is_read(connect: Any, server: ServerProcess, key: str, user: str) -> None:
    async with connect(server, key, user) as tools:
        await call(tools, "add_memory", text="I work at Acme.")

        async def is_known() -> bool:
            return not (await tools.call_tool("entity_graph", {"name": "Acme"})).is_error

        await eventually(is_known, GRAPH_SECONDS, "the graph")
        graph = await call(tools, "entity_graph", name="Acme")
    assert graph["entity"]["name"] == "Acme"
    assert [each["relation"] for each in graph["relations"]] == ["works_at"]


@EACH_TRANSPORT
async def test_a_model_cannot_reach_another_user(
    connect: Any, server: ServerProcess, client: Client, key: str, user: str
) -> None:
    other = f"other-{user}"
    memory_id = await kept(client, other, "My secret is 42")
    async with connect(server, key, user) as tools:
        for name, more in (
            ("get_memory", {}),
            ("update_memory", {"text": "x"}),
            ("delete_memory", {}),
        ):
            assert "no such memory" in await failure(tools, name, memory_id=memory_id, **more)
        found = await call(tools, "search_memories", query="secret 42", user_id=other)
        assert not found["hits"]
    assert await stored(client, other) == {memory_id: "My secret is 42"}


@EACH_TRANSPORT
async def test_errors_of_the_service_are_passed_on(
    connect: Any, server: ServerProcess, key: str, user: str
) -> None:
    async with connect(server, key, user) as tools:
        assert "UUID" in await failure(tools, "get_memory", memory_id="x")
        assert "query" in await failure(tools, "search_memories", query="")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Token mem_wrong", "memoir-user-id": "u"}, 401),
        ({"memoir-user-id": "u"}, 401),
        ({"authorization": "Token KEY"}, 400),
    ],
)
async def test_requests_need_a_key_and_a_scope(
    server: ServerProcess, key: str, headers: dict[str, str], status: int
) -> None:
    sent = {name: value.replace("KEY", key) for name, value in headers.items()}
    url = f"{server.http_address}/mcp"
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, headers=sent, json={}) as response,
    ):
        assert response.status == status, await response.text()


async def test_the_command_names_missing_variables(server: ServerProcess, key: str) -> None:
    for variables, said in (
        ({"MEMOIR_API_KEY": key}, b"MEMOIR_USER_ID"),
        ({"MEMOIR_USER_ID": "u"}, b"MEMOIR_API_KEY"),
    ):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "memoir.mcp.stdio"),
            env=clean_environment(**variables),
            stdin=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        _, complaint = await process.communicate()
        assert process.returncode == 1
        assert said in complaint
