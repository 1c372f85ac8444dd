"""The embedded mode's development key, commands that use it, and the file with its addresses."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from server.embedded.directory import write_private
from server.projects.administration import Administration

KEY_FILE = "development-key"
PROJECT = "default"
ORGANIZATION = "default"
LOCAL_GRPCURL = Path(".local/bin/grpcurl")


async def development_key(administration: Administration, data_dir: Path) -> str:
    """Returns the key in the data directory; the first start creates it with its project.

    A new key is created if the file is missing or the key is not in the database.
    """
    path = data_dir / KEY_FILE
    if path.exists():
        key = path.read_text(encoding="utf-8").strip()
        if await administration.is_valid(key):
            return key
    if PROJECT not in {project.id for project in await administration.list_projects()}:
        await administration.create_project(PROJECT, ORGANIZATION)
    _, key = await administration.create_key(
        project_id=PROJECT, org_id=None, label="development key"
    )
    write_private(path, key + "\n")
    return key


def grpcurl_line(key: str, address: str, *, encrypts: bool = False) -> str:
    """Returns a shell command that adds a message about a new home, a job and a hobby."""
    plain = "" if encrypts else "-plaintext "
    program = "grpcurl" if shutil.which("grpcurl") else str(LOCAL_GRPCURL)
    body = (
        '{"user_id": "alice", "output_format": "v1.1", "messages": [{"role": "user", "content": '
        '"I moved to Lisbon last month and I work at Acme. I love hiking."}]}'
    )
    return (
        f"{program} {plain}-H 'authorization: Token {key}' \\\n"
        f"  -d '{body}' \\\n"
        f"  {address} memoir.v1.MemoryService/AddMemories"
    )


def client_line(key: str, address: str, *, encrypts: bool = False) -> str:
    """Returns a shell command that adds and searches with the Python client."""
    tls = ", tls=memoir.Tls()" if encrypts else ""
    code = (
        f'import memoir; client = memoir.Client("{address}", api_key="{key}"{tls}); '
        'client.add("I moved to Lisbon", user_id="alice"); '
        'print(*(hit.text for hit in client.search("Lisbon", user_id="alice")), sep=" | ")'
    )
    return f"{sys.executable} -c '{code}'"


def mem0_line(key: str, http: str) -> str:
    """Returns a shell command that adds and lists with Mem0's client, fetched from PyPI."""
    code = (
        f'from mem0 import MemoryClient; client = MemoryClient(api_key="{key}", host="{http}"); '
        'client.add("I play the cello", user_id="alice", infer=False); '
        'print(client.get_all(filters={"user_id": "alice"}))'
    )
    uv = Path(sys.executable).with_name("uv")
    return f"MEM0_TELEMETRY=False {uv} run --no-project --with mem0ai python -c '{code}'"


def mcp_line(key: str, http: str) -> str:
    """Returns the configuration of an agent that uses the MCP tools."""
    headers = {"Authorization": f"Token {key}", "Memoir-User-Id": "alice"}
    server = {"type": "http", "url": f"{http}/mcp", "headers": headers}
    return json.dumps({"mcpServers": {"memoir": server}})


RUNTIME_FILE = "runtime.json"


@dataclass(frozen=True, slots=True)
class Runtime:
    """The addresses of a running server. They may be outdated if it was killed."""

    postgres_dsn: str
    grpc_address: str
    neo4j_uri: str | None


@contextmanager
def announced(data_dir: Path, runtime: Runtime) -> Iterator[None]:
    """Announces the addresses in a file during the block; only its owner can read it."""
    path = data_dir / RUNTIME_FILE
    write_private(path, json.dumps(asdict(runtime)) + "\n")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def read_runtime(data_dir: Path) -> Runtime | None:
    """Returns the addresses that the server of this data directory last announced, if any."""
    try:
        return Runtime(**json.loads((data_dir / RUNTIME_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
