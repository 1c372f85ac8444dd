"""The commands that inspect a running server: `top` and `trace`."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

from memoir.v1 import memory_service_pb2

from tests.support.processes import eventually
from tests.support.server import Client, Home, ServerProcess, run_command

TEXT = "I work at Acme and I live in Oslo."


async def add(client: Client, user: str, *, later: bool = False) -> str:
    """Adds a message and returns the correlation id of the call."""
    correlation_id = f"watched-{uuid4().hex}"
    request = memory_service_pb2.AddMemoriesRequest(user_id=user, async_mode=later)
    request.messages.add(role="user", content=TEXT)
    metadata = (*client.metadata, ("x-correlation-id", correlation_id))
    await client.memory.AddMemories(request, metadata=metadata)
    return correlation_id


async def traced(home: Home, correlation_id: str, *options: str) -> str:
    environment = {**home.environment, "COLUMNS": "300"}
    return await run_command("trace", correlation_id, *options, environment=environment)


async def test_top_shows_a_server_over_the_network(
    client: Client, shared_home: Home, tmp_path: Path, user: str
) -> None:
    await add(client, user)
    key_file = tmp_path / "key"
    key_file.write_text(client.key)
    shown = await run_command(
        *("top", "--once", "--address", client.address, "--key-file", str(key_file)),
        environment={**shared_home.environment, "COLUMNS": "200"},
    )
    assert "MemoryService/AddMemories" in shown
    assert "offline/" in shown
    assert "commit" in shown
    assert "correlation id" in shown
    assert client.key not in shown


async def test_top_says_why_a_server_refuses(
    client: Client, shared_home: Home, tmp_path: Path
) -> None:
    key_file = tmp_path / "key"
    key_file.write_text("mem_wrong")
    output = await run_command(
        *("top", "--once", "--address", client.address, "--key-file", str(key_file)),
        environment=shared_home.environment,
        status=1,
    )
    assert "UNAUTHENTICATED" in output


async def test_a_request_is_traced_from_the_call_to_the_graph(
    client: Client, server: ServerProcess, shared_home: Home, user: str
) -> None:
    correlation_id = await add(client, user)

    async def is_projected() -> bool:
        return "graph=in the graph" in await traced(shared_home, correlation_id)

    await eventually(is_projected, 30, "the projection")
    trace = await traced(shared_home, correlation_id, "--log", str(server.log_path))
    assert "call AddMemories" in trace
    assert "messages=1" in trace
    assert "language_model=offline/" in trace
    assert "memory add" in trace
    assert "log info: rpc" in trace
    assert "model_calls=" in trace
    assert "Acme" not in trace


async def test_an_asynchronous_request_is_traced_to_its_end(
    client: Client, shared_home: Home, user: str
) -> None:
    correlation_id = await add(client, user, later=True)

    async def is_done() -> bool:
        return "operation succeeded" in await traced(shared_home, correlation_id)

    await eventually(is_done, 30, "the operation's end")
    trace = await traced(shared_home, correlation_id)
    order = [trace.index(step) for step in ("operation accepted", "operation begun", "memory add")]
    assert order == sorted(order)


async def test_an_unknown_correlation_id_is_reported(shared_home: Home) -> None:
    output = await run_command(
        "trace", "nobody-sent-this", environment=shared_home.environment, status=1
    )
    assert "nothing is known about nobody-sent-this" in output
