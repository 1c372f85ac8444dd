"""An internal service that has installed only the wheel can call this one, fully typed."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest_asyncio

from tests.support.server import ROOT, Client

COMMAND_SECONDS = 300.0

CLIENT = """
import asyncio, json, sys
import grpc
from memoir.v1 import memory_pb2, memory_service_pb2, memory_service_pb2_grpc

async def main(address: str, key: str, user: str) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        response = await stub.AddMemories(
            memory_service_pb2.AddMemoriesRequest(
                user_id=user,
                messages=[memory_pb2.Message(role="user", content="I play the cello.")],
            ),
            metadata=(("authorization", f"Token {key}"),),
        )
        print(json.dumps([result.data.memory for result in response.results]))

asyncio.run(main(*sys.argv[1:]))
"""


async def run(*command: str) -> str:
    """What a command prints, once it has ended well."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        # Without PYTHONPATH, so that only what is installed can be imported.
        env={"PATH": "/usr/bin:/bin", "HOME": str(Path.home())},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    assert process.returncode == 0, err.decode()
    return out.decode()


def only_wheel(folder: Path) -> Path:
    """The wheel in the folder."""
    [wheel] = folder.glob("memoir-*.whl")
    return wheel


@pytest_asyncio.fixture
async def other_python(tmp_path: Path) -> str:
    """The Python of another virtual environment, which holds the wheel and what it requires."""
    await run(
        sys.executable, *("-m", "build", "--wheel", "--no-isolation"), f"--outdir={tmp_path}", "."
    )
    wheel = only_wheel(tmp_path)
    environment = tmp_path / "venv"
    await run(sys.executable, "-m", "venv", str(environment))
    python = str(environment / "bin" / "python")
    await run(python, *("-m", "pip", "install", "--quiet", str(wheel)))
    return python


async def test_a_client_with_only_the_wheel_can_call(
    other_python: str, client: Client, user: str, tmp_path: Path
) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    printed = await run(other_python, str(script), client.address, client.key, user)
    assert json.loads(printed) == ["User plays the cello"]
    packages = json.loads(await run(other_python, *("-m", "pip", "list", "--format=json")))
    names = {package["name"] for package in packages}
    assert "memoir" in names
    # A client has no use for what only the server needs.
    assert names.isdisjoint({"asyncpg", "neo4j", "wordllama", "google-genai"})
