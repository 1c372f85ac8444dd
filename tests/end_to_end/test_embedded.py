"""`python -m server serve` with nothing but a data directory: what `make run` runs."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
import pytest_asyncio
from mcp import Client as McpClient
from mcp.client.streamable_http import streamable_http_client
from memoir.v1 import memory_service_pb2
from memoir.v1.graph_service_pb2 import ListRelationsRequest

from tests.support.mem0_clients import ENVIRONMENTS, VERSIONS
from tests.support.processes import descendants, eventually, still_running
from tests.support.server import ROOT, ServerProcess, clean_environment, connected, run_command
from tests.support.tools import find_tool

GRAPH_SECONDS = 90.0
RELATIONS = ListRelationsRequest(user_id="alice")
DEMO_SHOWS = (
    "offline/",
    "ADD     User moved to Lisbon",
    "UPDATE  User now works at Globex as a designer  (was: User works at Acme as a designer)",
    "DELETE  User is allergic to peanuts",
    "User is staying at the Hotel Tejo  (until ",
    "v1  ADD      User works at Acme as a designer",
    "v2  UPDATE   User now works at Globex as a designer",
    "v4  RESTORE  User now works at Globex as a designer",
    "--works_at--> Globex",
    "--sister_of--> User",
)


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    return tmp_path / "data"


def own_server(folder: Path, neo4j: Path = ROOT / ".local/neo4j/5.18.0/lib") -> ServerProcess:
    """A server that brings its own databases, not started yet."""
    environment = clean_environment(
        MEMOIR_DATA_DIR=str(folder / "data"),
        MEMOIR_GRPC_PORT="0",
        MEMOIR_NEO4J_LIB_DIR=str(neo4j),
    )
    return ServerProcess(environment, folder / "server.log", executed=True)


@pytest_asyncio.fixture
async def without_graph(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    """A server of the test's own without Neo4j, which takes longest to start."""
    server = own_server(tmp_path, neo4j=tmp_path / "none")
    yield server
    await server.stop()


@pytest_asyncio.fixture(scope="module")
async def started(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[ServerProcess, grpc.aio.AioRpcError]]:
    """A running server, and the error of a read of the graph right after its start.

    After the last test it is stopped, and so are its databases.
    """
    server = own_server(tmp_path_factory.mktemp("embedded"))
    await server.start()
    async with connected(server.address, await development_key_of(server)) as client:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.graph.ListRelations(RELATIONS, metadata=client.metadata)
    yield server, caught.value
    children = descendants(server.pid)
    assert children
    assert await server.stop() == 0
    assert still_running(children) == []


@pytest.fixture(scope="module")
def running(started: tuple[ServerProcess, grpc.aio.AioRpcError]) -> ServerProcess:
    """The server, for tests that leave it as it is."""
    return started[0]


def printed_command(server: ServerProcess) -> list[str]:
    """The grpcurl command that the server printed, as a shell would read it."""
    text = "".join(server.output)
    start = text.index("grpcurl -plaintext")
    command = shlex.split(text[start : text.index("AddMemories", start) + len("AddMemories")])
    return [find_tool("grpcurl"), *(word for word in command[1:] if word.strip())]


async def run_printed(server: ServerProcess) -> Any:
    """The answer to the printed command."""

    async def complete() -> bool:
        return "Ctrl-C" in "".join(server.output)

    await eventually(complete, 30.0, "the whole banner")
    process = await asyncio.create_subprocess_exec(
        *printed_command(server),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), 30.0)
    assert process.returncode == 0, out.decode()
    return json.loads(out)


async def test_the_printed_line_works_and_a_second_start_finds_the_data(
    without_graph: ServerProcess, data_dir: Path
) -> None:
    await without_graph.start()
    children = descendants(without_graph.pid)
    added = await run_printed(without_graph)
    assert {result["event"] for result in added["results"]} == {"ADD"}
    key = (data_dir / "development-key").read_text().strip()
    assert (data_dir / "development-key").stat().st_mode & 0o077 == 0

    assert await without_graph.stop() == 0
    assert still_running(children) == []

    without_graph.output.clear()
    await without_graph.start()
    async with connected(without_graph.address, key) as client:
        found = await client.memory.SearchMemories(
            memory_service_pb2.SearchMemoriesRequest(user_id="alice", query="employer", top_k=1),
            metadata=client.metadata,
        )
    assert "Acme" in found.results[0].memory.text
    assert key not in without_graph.log


async def run_shell(command: str) -> str:
    """What a pasted command prints."""
    process = await asyncio.create_subprocess_shell(
        command,
        env=clean_environment(MEM0_TELEMETRY="False"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 60.0)
    assert process.returncode == 0, err.decode()
    return out.decode()


def printed_line(server: ServerProcess, part: str) -> str:
    [line] = [line for line in server.output if part in line]
    return line.strip()


async def test_the_other_printed_lines_work_too(running: ServerProcess) -> None:
    async def complete() -> bool:
        return "Ctrl-C" in "".join(running.output)

    await eventually(complete, 30.0, "the whole banner")
    assert "User moved to Lisbon" in await run_shell(printed_line(running, "import memoir"))
    configuration = json.loads(printed_line(running, "mcpServers"))["mcpServers"]["memoir"]
    async with (
        httpx2.AsyncClient(headers=configuration["headers"]) as http,
        McpClient(streamable_http_client(configuration["url"], http_client=http)) as tools,
    ):
        assert "search_memories" in {tool.name for tool in (await tools.list_tools()).tools}
    python = ENVIRONMENTS / VERSIONS[-1] / "bin" / "python"
    if not python.exists():
        pytest.skip("mem0ai is not installed: `make mem0-clients` could not reach PyPI")
    words = shlex.split(printed_line(running, "from mem0 import"))
    printed = await run_shell(shlex.join([str(python), *words[words.index("-c") :]]))
    assert "I play the cello" in printed


async def test_until_neo4j_answers_the_graph_is_starting(
    started: tuple[ServerProcess, grpc.aio.AioRpcError],
) -> None:
    server, refusal = started
    assert refusal.code() is grpc.StatusCode.UNAVAILABLE
    assert "the graph is starting" in (refusal.details() or "")

    async def is_ready() -> bool:
        return any("the graph is ready" in line for line in server.output)

    await eventually(is_ready, GRAPH_SECONDS, "the graph")
    async with connected(server.address, await development_key_of(server)) as client:

        async def answers() -> bool:
            try:
                await client.graph.ListRelations(RELATIONS, metadata=client.metadata)
            except grpc.aio.AioRpcError:
                return False
            return True

        await eventually(answers, GRAPH_SECONDS, "relations")


async def development_key_of(server: ServerProcess) -> str:
    path = Path(server.environment["MEMOIR_DATA_DIR"]) / "development-key"
    return path.read_text(encoding="utf-8").strip()


async def test_the_demo_shows_memories_hits_and_relations(running: ServerProcess) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(ROOT / "examples/demo.py"),
        env=clean_environment(MEMOIR_DATA_DIR=running.environment["MEMOIR_DATA_DIR"]),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await asyncio.wait_for(process.communicate(), GRAPH_SECONDS)
    text = out.decode()
    assert process.returncode == 0, text
    for expected in DEMO_SHOWS:
        assert expected in text


async def test_keys_are_made_beside_a_running_server_and_without_one(
    without_graph: ServerProcess, data_dir: Path
) -> None:
    await run_command("projects", "create", "before", environment=without_graph.environment)
    await without_graph.start()
    listed = await run_command("projects", "list", environment=without_graph.environment)
    assert "before" in listed
    assert "default" in listed
    printed = await run_command(
        "keys", "create", "--project", "before", environment=without_graph.environment
    )
    async with connected(without_graph.address, printed.strip()) as client:
        await client.memory.ListMemories(
            memory_service_pb2.ListMemoriesRequest(), metadata=client.metadata
        )
    assert (data_dir / "runtime.json").stat().st_mode & 0o077 == 0


async def test_a_second_server_on_the_same_data_is_refused(running: ServerProcess) -> None:
    printed = await run_command("serve", environment=running.environment, status=1)
    assert "in use" in printed
    assert "MEMOIR_DATA_DIR" in printed


async def test_wrong_settings_are_named() -> None:
    environment = clean_environment(
        MEMOIR_GRPC_PORT="many", MEMOIR_POSTGRES_DSN="postgresql://localhost/none"
    )
    printed = await run_command("serve", environment=environment, status=2)
    assert "MEMOIR_GRPC_PORT" in printed


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"MEMOIR_NEO4J_URI": "bolt://localhost:1"}, "MEMOIR_MODELS"),
        (
            {"MEMOIR_NEO4J_URI": "bolt://localhost:1", "MEMOIR_MODELS": "gemini"},
            "GEMINI_API_KEY",
        ),
        ({"MEMOIR_MODELS": "offline"}, "MEMOIR_NEO4J_URI"),
    ],
)
async def test_outside_the_embedded_mode_every_missing_setting_is_named(
    variables: dict[str, str], named: str
) -> None:
    environment = clean_environment(MEMOIR_POSTGRES_DSN="postgresql://localhost/none", **variables)
    assert named in await run_command("serve", environment=environment, status=2)
