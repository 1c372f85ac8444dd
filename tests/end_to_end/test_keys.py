"""Keys with a role, a scope or an expiration, over every door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import aiohttp
import grpc
import httpx2
from google.longrunning import operations_proto_pb2
from google.protobuf.empty_pb2 import Empty
from google.protobuf.field_mask_pb2 import FieldMask
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from memoir.v1 import graph_service_pb2, project_service_pb2, statistics_service_pb2
from memoir.v1 import memory_service_pb2 as pb

from server.memories.scope import Scope
from server.projects.project import KeyRole
from tests.support import operations
from tests.support.api import add
from tests.support.keys import holding, reason
from tests.support.processes import eventually
from tests.support.server import PROJECT, Client, Home, ServerProcess, connected, run_command
from tests.support.watch import Watch

Call = Callable[[Client], Awaitable[Any]]


async def tool_failure(
    server: ServerProcess, key: str, user: str, tool: str, **arguments: str
) -> str:
    """What a tool of MCP says when it fails."""
    headers = {"authorization": f"Bearer {key}", "memoir-user-id": user}
    async with httpx2.AsyncClient(headers=headers) as http:
        transport = streamable_http_client(f"{server.http_address}/mcp", http_client=http)
        async with McpClient(transport) as tools:
            result = await tools.call_tool(tool, arguments)
    assert result.is_error, result.structured_content
    return str(result.content)


def delete_scope(client: Client, user: str) -> Awaitable[Any]:
    request = pb.DeleteScopeRequest(kind=pb.SCOPE_KIND_USER, id=user)
    return client.memory.DeleteScope(request, metadata=client.metadata)


async def test_a_role_limits_what_a_key_does(client: Client, shared_home: Home, user: str) -> None:
    denied = grpc.StatusCode.PERMISSION_DENIED
    async with holding(client, shared_home, KeyRole.READ) as reader:
        assert await reason(add(reader, user, "I like tea")) == (
            denied,
            "ROLE_REQUIRED",
            {"role": "write"},
        )
        await reader.memory.ListMemories(
            pb.ListMemoriesRequest(user_id=user), metadata=reader.metadata
        )
    async with holding(client, shared_home) as writer:
        await add(writer, user, "I like tea", infer=False)
        for refused in (
            delete_scope(writer, user),
            writer.project.UpdateProject(
                project_service_pb2.UpdateProjectRequest(
                    project=project_service_pb2.Project(),
                    update_mask=FieldMask(paths=["custom_categories"]),
                ),
                metadata=writer.metadata,
            ),
            writer.memory.DeleteMemories(
                pb.DeleteMemoriesRequest(agent_id=user), metadata=writer.metadata
            ),
        ):
            assert await reason(refused) == (denied, "ROLE_REQUIRED", {"role": "admin"})
        await writer.memory.DeleteMemories(
            pb.DeleteMemoriesRequest(user_id=user), metadata=writer.metadata
        )
    async with holding(client, shared_home, KeyRole.ADMIN) as admin:
        await add(admin, user, "I like tea", infer=False)
        await delete_scope(admin, user)


async def test_a_confined_key_works_in_its_scope_without_naming_it(
    client: Client, shared_home: Home, user: str
) -> None:
    async with holding(client, shared_home, scope=Scope(user_id=user)) as holder:
        request = pb.AddMemoriesRequest(infer=False)
        request.messages.add(role="user", content="I live in Lisbon")
        added = await holder.memory.AddMemories(request, metadata=holder.metadata)
        await add(client, f"not-{user}", "I live in Porto", infer=False)
        found = await holder.memory.SearchMemories(
            pb.SearchMemoriesRequest(query="Where do I live?"), metadata=holder.metadata
        )
        assert [hit.memory.text for hit in found.results] == ["I live in Lisbon"]
        memory = await holder.memory.GetMemory(
            pb.GetMemoryRequest(id=added.results[0].id), metadata=holder.metadata
        )
        assert memory.memory.user_id == user
        for call in (
            holder.memory.SearchMemories(
                pb.SearchMemoriesRequest(query="?", user_id=f"not-{user}"),
                metadata=holder.metadata,
            ),
            holder.graph.ListEntities(
                graph_service_pb2.ListEntitiesRequest(user_id=f"not-{user}"),
                metadata=holder.metadata,
            ),
        ):
            assert await reason(call) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "SCOPE_FORBIDDEN",
                {"field": "user_id"},
            )
        for of_project in (
            holder.memory.ListScopes(pb.ListScopesRequest(), metadata=holder.metadata),
            holder.statistics.GetStatistics(
                statistics_service_pb2.GetStatisticsRequest(), metadata=holder.metadata
            ),
        ):
            assert await reason(of_project) == (
                grpc.StatusCode.PERMISSION_DENIED,
                "SCOPE_FORBIDDEN",
                {},
            )


async def test_memories_outside_do_not_exist_for_a_confined_key(
    client: Client, shared_home: Home, user: str
) -> None:
    added = await add(client, f"not-{user}", "I live in Porto", infer=False)
    memory_id = added.results[0].id
    calls: dict[str, Call] = {
        "get": lambda c: c.memory.GetMemory(pb.GetMemoryRequest(id=memory_id), metadata=c.metadata),
        "events": lambda c: c.memory.ListMemoryEvents(
            pb.ListMemoryEventsRequest(id=memory_id), metadata=c.metadata
        ),
        "update": lambda c: c.memory.UpdateMemory(
            pb.UpdateMemoryRequest(
                id=memory_id,
                changes=pb.MemoryChanges(text="stolen"),
                update_mask=FieldMask(paths=["text"]),
            ),
            metadata=c.metadata,
        ),
        "restore": lambda c: c.memory.RestoreMemory(
            pb.RestoreMemoryRequest(id=memory_id, version=1), metadata=c.metadata
        ),
        "delete": lambda c: c.memory.DeleteMemory(
            pb.DeleteMemoryRequest(id=memory_id), metadata=c.metadata
        ),
        "erase": lambda c: c.memory.DeleteMemory(
            pb.DeleteMemoryRequest(id=memory_id, erasure_mode=pb.ERASURE_MODE_ERASE),
            metadata=c.metadata,
        ),
    }
    async with holding(client, shared_home, scope=Scope(user_id=user)) as holder:
        for name, call in calls.items():
            code, found, _ = await reason(call(holder))
            assert (name, code, found) == (name, grpc.StatusCode.NOT_FOUND, "MEMORY_NOT_FOUND")
        batch = await holder.memory.BatchDeleteMemories(
            pb.BatchDeleteMemoriesRequest(requests=[pb.DeleteMemoryRequest(id=memory_id)]),
            metadata=holder.metadata,
        )
        assert batch.results[0].error.code == grpc.StatusCode.NOT_FOUND.value[0]
        # After its owner has deleted it, its history is invisible too.
        await calls["delete"](client)
        for name in ("events", "restore", "erase"):
            code, found, _ = await reason(calls[name](holder))
            assert (name, code, found) == (name, grpc.StatusCode.NOT_FOUND, "MEMORY_NOT_FOUND")
    await calls["restore"](client)


async def test_operations_outside_do_not_exist_for_a_confined_key(
    client: Client, shared_home: Home, user: str
) -> None:
    theirs = await add(client, f"not-{user}", "I live in Porto", async_mode=True)
    async with holding(client, shared_home, scope=Scope(user_id=user)) as holder:
        mine = await add(holder, user, "I live in Lisbon", async_mode=True)
        await operations.wait(holder, mine.operation.name)
        named = {"name": theirs.operation.name}
        for method, request, answer in (
            ("GetOperation", operations_proto_pb2.GetOperationRequest(**named), Empty),
            ("WaitOperation", operations_proto_pb2.WaitOperationRequest(**named), Empty),
            ("CancelOperation", operations_proto_pb2.CancelOperationRequest(**named), Empty),
            ("DeleteOperation", operations_proto_pb2.DeleteOperationRequest(**named), Empty),
        ):
            code, found, _ = await reason(operations.call(holder, method, request, answer))
            assert (method, code, found) == (
                method,
                grpc.StatusCode.NOT_FOUND,
                "OPERATION_NOT_FOUND",
            )
        listed: Any = await operations.call(
            holder,
            "ListOperations",
            operations_proto_pb2.ListOperationsRequest(),
            operations_proto_pb2.ListOperationsResponse,
        )
        assert [each.name for each in listed.operations] == [mine.operation.name]


async def test_a_confined_key_watches_its_scope_alone(
    client: Client, shared_home: Home, user: str
) -> None:
    async with holding(client, shared_home, KeyRole.READ, Scope(user_id=user)) as holder:
        watch = Watch(holder)
        await watch.next(1)
        await add(client, f"not-{user}", "theirs", infer=False)
        await add(client, user, "mine", infer=False)
        [response] = await watch.next(1)
        assert response.event.after.text == "mine"
        watch.cancel()


async def test_http_and_mcp_hold_to_the_rights_of_the_key(
    client: Client, server: ServerProcess, shared_home: Home, user: str
) -> None:
    await add(client, f"not-{user}", "I live in Porto", infer=False)
    async with holding(client, shared_home, KeyRole.READ, Scope(user_id=user)) as holder:
        headers = {"authorization": f"Token {holder.key}"}
        async with aiohttp.ClientSession(server.http_address, headers=headers) as http:
            for path, body, named in (
                (
                    "/v1/memories/",
                    {"messages": [{"role": "user", "content": "x"}]},
                    "ROLE_REQUIRED",
                ),
                (
                    "/memoir/v1/memories:search",
                    {"query": "x", "user_id": f"not-{user}"},
                    "SCOPE_FORBIDDEN",
                ),
            ):
                async with http.post(path, json=body) as response:
                    assert response.status == 403, await response.text()
                    assert named in await response.text()
            async with http.post("/memoir/v1/memories:search", json={"query": "x"}) as response:
                assert response.status == 200, await response.text()
        refused = await tool_failure(server, holder.key, user, "add_memory", text="I like tea")
        assert "role write" in refused
        refused = await tool_failure(
            server, holder.key, f"not-{user}", "search_memories", query="Where?"
        )
        assert "confined to another user_id" in refused


async def test_a_key_is_rotated_and_listed_by_the_command_line(
    client: Client, shared_home: Home, user: str
) -> None:
    environment = shared_home.environment
    label = f"label-{uuid4()}"
    owner = ("--project", PROJECT, "--label", label, "--role", "write", "--user", user)
    old = (await run_command("keys", "create", *owner, environment=environment)).strip()

    async def rows() -> list[list[str]]:
        listed = await run_command("keys", "list", environment=environment)
        cells = [[cell.strip() for cell in line.split("│")] for line in listed.splitlines()]
        return [row for row in cells if label in row]

    [row] = await rows()
    assert row[5:7] == ["write", f"user_id={user}"]
    assert row[8:10] == ["", "active"]
    new = await run_command("keys", "rotate", row[1], "--overlap", "0s", environment=environment)
    async with connected(client.address, new.strip()) as holder:
        await add(holder, user, "I like tea", infer=False)
    async with connected(client.address, old) as holder:
        assert (await reason(add(holder, user, "I like tea")))[1] == "API_KEY_INVALID"

    async def was_used() -> bool:
        return any(row[8] for row in await rows())

    await eventually(was_used, 45)
    assert sorted(row[9].split()[0] for row in await rows()) == ["active", "expired"]
