"""A service with only the wheel installed can call the server, fully typed."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.server import ROOT, Client, clean_environment

COMMAND_SECONDS = 300.0
UV = (sys.executable, "-m", "uv")
# Without PYTHONPATH, so that only what is installed can be imported.
ALONE = {"PATH": "/usr/bin:/bin", "HOME": str(Path.home())}

PACKAGED_CLIENT = """
import json, sys
import memoir

def main(address: str, key: str, user: str) -> None:
    with memoir.Client(address, key) as client:
        result = client.add("I play the cello.", user_id=user)
        texts: list[str] = [change.text for change in result]
        hits: memoir.SearchResult = client.search("music", user_id=user, top_k=1)
        score: float = hits[0].score
        print(json.dumps([texts, [memory.text for memory in client.list(user_id=user)], score > 0]))

main(*sys.argv[1:])
"""
MISTAKEN = """
import memoir

client = memoir.Client("127.0.0.1:1", "key")
client.search("music", user=1)
client.get("id").txt
"""

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


async def run(*command: str, status: int = 0, environment: Mapping[str, str] = ALONE) -> str:
    """The output of a command that ends with this status."""
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
    assert process.returncode == status, (out + err).decode()
    return out.decode()


def only_wheel(folder: Path) -> Path:
    """The wheel in the folder."""
    [wheel] = folder.glob("memoir-*.whl")
    return wheel


@pytest_asyncio.fixture(scope="module")
async def other_python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The Python of another virtual environment, with the wheel and its requirements."""
    tmp_path = tmp_path_factory.mktemp("wheel")
    await run(
        sys.executable, *("-m", "build", "--wheel", "--no-isolation"), f"--outdir={tmp_path}", "."
    )
    wheel = only_wheel(tmp_path)
    environment = tmp_path / "venv"
    # Not by `venv` and pip, which take several times as long.
    await run(*UV, "venv", f"--python={sys.executable}", str(environment))
    python = str(environment / "bin" / "python")
    # The environment may name the index to install from.
    install = (*UV, "pip", "install", f"--python={python}", str(wheel))
    await run(*install, environment=clean_environment())
    return python


async def test_a_client_with_only_the_wheel_can_call(
    other_python: str, client: Client, user: str, tmp_path: Path
) -> None:
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    printed = await run(other_python, str(script), client.address, client.key, user)
    assert json.loads(printed) == ["User plays the cello"]
    packages = json.loads(
        await run(*UV, "pip", "list", "--format=json", f"--python={other_python}")
    )
    names = {package["name"] for package in packages}
    assert "memoir" in names
    # A client does not need the server's dependencies.
    assert names.isdisjoint({"asyncpg", "neo4j", "wordllama", "google-genai"})


async def test_the_packaged_client_can_call(
    other_python: str, client: Client, user: str, tmp_path: Path
) -> None:
    script = tmp_path / "packaged.py"
    script.write_text(PACKAGED_CLIENT)
    printed = await run(other_python, str(script), client.address, client.key, user)
    text = "User plays the cello"
    assert json.loads(printed) == [[text], [text], True]


async def test_the_tools_say_which_extra_they_need(other_python: str) -> None:
    command = Path(other_python).with_name("memoir-mcp")
    process = await asyncio.create_subprocess_exec(
        str(command),
        env={"MEMOIR_API_KEY": "key", "MEMOIR_USER_ID": "alice"},
        stdin=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, complaint = await process.communicate()
    assert process.returncode == 1
    assert complaint.decode().strip() == "memoir-mcp needs mcp: pip install 'memoir[mcp]'"


async def test_the_packaged_client_is_typed(other_python: str, tmp_path: Path) -> None:
    script = tmp_path / "packaged.py"
    script.write_text(PACKAGED_CLIENT)
    mistaken = tmp_path / "mistaken.py"
    mistaken.write_text(MISTAKEN)
    mypy = (sys.executable, "-m", "mypy", "--strict", f"--python-executable={other_python}")
    alone = ("--config-file=", f"--cache-dir={tmp_path / 'cache'}")
    await run(*mypy, *alone, str(script))
    output = await run(*mypy, *alone, str(mistaken), status=1)
    assert 'Unexpected keyword argument "user"' in output
    assert '"Memory" has no attribute "txt"' in output
