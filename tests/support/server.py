"""The real server in its own process, and clients of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest
import pytest_asyncio
from memoir.v1.graph_service_pb2 import ListRelationsRequest
from memoir.v1.graph_service_pb2_grpc import GraphServiceStub
from memoir.v1.memory_pb2 import Message
from memoir.v1.memory_service_pb2 import AddMemoriesRequest
from memoir.v1.memory_service_pb2_grpc import MemoryServiceStub
from memoir.v1.project_service_pb2_grpc import ProjectServiceStub
from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceStub

from server.core.values import Neo4jAddress
from server.runtime.composition.commands import open_administration
from server.runtime.settings import PostgresSettings
from tests.support.forked_server import ForkedServer, start_forked
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.postgres import (
    SERVICE_ROLE,
    as_service,
    create_service_role,
    empty_database,
)

if TYPE_CHECKING:
    from memoir.v1.graph_service_pb2_grpc import GraphServiceAsyncStub
    from memoir.v1.memory_service_pb2_grpc import MemoryServiceAsyncStub
    from memoir.v1.project_service_pb2_grpc import ProjectServiceAsyncStub
    from memoir.v1.statistics_service_pb2_grpc import StatisticsServiceAsyncStub

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 90.0
STOP_SECONDS = 45.0
COMMAND_SECONDS = 60.0
# The test's own connections may take long on a busy machine.
PATIENT_POSTGRES = PostgresSettings(acquire_timeout=30.0)
PROJECT = "e2e"

_HTTP_ON = re.compile(r"HTTP on\s+(https?://\S+)")
_SERVES_ON = re.compile(r"(?:serving|serves) on (\S+:\d+)")


class CommandFailed(AssertionError):
    """A command of the server ended with an unexpected status."""


def clean_environment(**variables: str) -> dict[str, str]:
    """Returns this process's environment without settings of the server, plus `variables`.

    The server may cache compiled code, because it is started many times.
    """
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("MEMOIR_", "GEMINI_", "GOOGLE_", "OTEL_"))
        and name != "PYTHONDONTWRITEBYTECODE"
    }
    return {**kept, "PYTHONUNBUFFERED": "1", **variables}


async def run_command(*arguments: str, environment: Mapping[str, str], status: int = 0) -> str:
    """Runs `python -m server ...` and returns its standard output.

    Raises:
        CommandFailed: it ended with another status.
    """
    with tempfile.TemporaryFile() as errors:
        process = await start_forked(
            *arguments, environment=environment, directory=ROOT, stderr=errors.fileno()
        )
        async with asyncio.timeout(COMMAND_SECONDS):
            out = (await process.stdout.read()).decode()
            ended_with = await process.wait()
        errors.seek(0)
        err = errors.read().decode()
    if ended_with != status:
        raise CommandFailed(f"{arguments} ended with {ended_with}: {err}")
    return out + (err if status else "")


async def _fork_server(environment: Mapping[str, str], stderr: int) -> ForkedServer:
    return await start_forked("serve", environment=environment, directory=ROOT, stderr=stderr)


async def _execute_server(
    environment: Mapping[str, str], stderr: int
) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "server", "serve"),
        cwd=ROOT,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=stderr,
    )


@dataclass
class ServerProcess:
    """A `python -m server serve` and its output.

    It is forked from a process that has imported the server, or `executed` as by a shell.
    """

    environment: Mapping[str, str]
    log_path: Path
    executed: bool = False
    address: str = ""
    http_address: str = ""
    output: list[str] = field(default_factory=list)
    _process: ForkedServer | asyncio.subprocess.Process | None = None
    _reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> str:
        """The log so far."""
        return self.log_path.read_text(encoding="utf-8")

    async def start(self) -> None:
        """Starts the server and waits until it prints its address."""
        with self.log_path.open("ab") as log:
            start = _execute_server if self.executed else _fork_server
            self._process = await start(self.environment, log.fileno())
        serving = asyncio.Event()
        self._reader = asyncio.create_task(self._read(self._process.stdout, serving))
        waiting = asyncio.create_task(serving.wait())
        await asyncio.wait(
            [waiting, self._reader], timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED
        )
        waiting.cancel()
        assert serving.is_set(), f"the server did not start:\n{self.log}\n{self.output}"

    async def _read(self, stream: asyncio.StreamReader | None, serving: asyncio.Event) -> None:
        assert stream is not None
        async for line in stream:
            self.output.append(line.decode())
            if found := _HTTP_ON.search(self.output[-1]):
                self.http_address = found[1]
            if found := _SERVES_ON.search(self.output[-1]):
                self.address = found[1]
                serving.set()

    def send(self, number: signal.Signals) -> None:
        """Sends a signal to the server."""
        assert self._process is not None
        self._process.send_signal(number)

    async def wait(self) -> int:
        """Waits for the end of the server and returns its exit status."""
        assert self._process is not None
        assert self._reader is not None
        status = await asyncio.wait_for(self._process.wait(), STOP_SECONDS)
        await self._reader
        return status

    async def stop(self) -> int:
        """Stops the server gracefully."""
        if self._process is None or self._process.returncode is not None:
            return 0
        self.send(signal.SIGTERM)
        return await self.wait()

    async def end(self) -> None:
        """Kills the server if it still runs."""
        if self._process is not None and self._process.returncode is None:
            await self.kill()

    async def kill(self) -> None:
        """Kills the server."""
        self.send(signal.SIGKILL)
        await self.wait()


@dataclass(frozen=True)
class Client:
    """Stubs of a running server, and an API key."""

    address: str
    channel: grpc.aio.Channel
    key: str

    @property
    def metadata(self) -> tuple[tuple[str, str], ...]:
        """The metadata that every call needs."""
        return (("authorization", f"Token {self.key}"),)

    @property
    def memory(self) -> MemoryServiceAsyncStub:
        """MemoryService."""
        return MemoryServiceStub(self.channel)

    @property
    def project(self) -> ProjectServiceAsyncStub:
        """ProjectService."""
        return ProjectServiceStub(self.channel)

    @property
    def graph(self) -> GraphServiceAsyncStub:
        """GraphService."""
        return GraphServiceStub(self.channel)

    @property
    def statistics(self) -> StatisticsServiceAsyncStub:
        """StatisticsService."""
        return StatisticsServiceStub(self.channel)


@asynccontextmanager
async def connected(address: str, key: str) -> AsyncIterator[Client]:
    """Yields a client of the server at `address`."""
    async with grpc.aio.insecure_channel(address) as channel:
        yield Client(address, channel, key)


def external_environment(dsn: str, neo4j: Neo4jAddress, **variables: str) -> dict[str, str]:
    """Returns the settings of a server on running databases."""
    return clean_environment(
        MEMOIR_POSTGRES_DSN=dsn,
        MEMOIR_NEO4J_URI=neo4j.uri,
        MEMOIR_NEO4J_USER=neo4j.user,
        MEMOIR_NEO4J_PASSWORD=neo4j.password,
        MEMOIR_GRPC_PORT="0",
        MEMOIR_HTTP_PORT="0",
        **{"MEMOIR_MODELS": "offline", "MEMOIR_WORKERS": "1", **variables},
    )


async def create_key(environment: Mapping[str, str], *owner: str) -> str:
    """Creates a key by the command line and returns it."""
    printed = await run_command("keys", "create", *owner, environment=environment)
    return printed.strip()


async def revoke_key(environment: Mapping[str, str], label: str) -> str:
    """Revokes the key with this label by the command line; returns the list of keys before."""
    listed = await run_command("keys", "list", environment=environment)
    [row] = [line for line in listed.splitlines() if label in line]
    await run_command("keys", "revoke", row.split("│")[1].strip(), environment=environment)
    return listed


@dataclass(frozen=True)
class Home:
    """Databases for servers, with a project, and a folder for logs."""

    environment: Mapping[str, str]
    postgres_dsn: str
    directory: Path
    project: str = PROJECT
    _servers: list[ServerProcess] = field(default_factory=list)

    def server(self, **variables: str) -> ServerProcess:
        """Returns a server on these databases, not started yet."""
        number = len(list(self.directory.glob("*.log")))
        log_path = self.directory / f"server-{number}.log"
        log_path.touch()
        server = ServerProcess({**self.environment, **variables}, log_path)
        self._servers.append(server)
        return server

    @asynccontextmanager
    async def running(self, **variables: str) -> AsyncIterator[ServerProcess]:
        """Runs a server during the block: stops it afterwards, or kills it if the block fails."""
        server = self.server(**variables)
        try:
            await server.start()
            yield server
            await server.stop()
        finally:
            await server.end()

    async def end(self) -> None:
        """Kills the servers that a failed test left running."""
        for server in self._servers:
            await server.end()


async def create_project(dsn: str, project: str) -> None:
    """Creates a project directly, without starting the command line."""
    async with open_administration(dsn, PATIENT_POSTGRES) as administration:
        await administration.create_project(project, "default")


async def key_of(home: Home, project: str | None = None) -> str:
    """Returns a new key of the project, by default of the home's project."""
    project = project or home.project
    async with open_administration(home.postgres_dsn, PATIENT_POSTGRES) as administration:
        _, key = await administration.create_key(project_id=project, org_id=None, label="test")
    return key


async def key_of_new(home: Home) -> str:
    """Returns a key of a new project, which no other test uses."""
    project = f"project-{uuid4()}"
    await create_project(home.postgres_dsn, project)
    return await key_of(home, project)


async def make_home(dsn: str, neo4j: Neo4jAddress, directory: Path) -> Home:
    """Prepares databases by the command line, as an operator would."""
    await create_service_role(dsn)
    owner = external_environment(dsn, neo4j)
    await run_command("migrate", "--service-role", SERVICE_ROLE, environment=owner)
    environment = external_environment(as_service(dsn), neo4j, MEMOIR_GRPC_REFLECTION="true")
    await run_command("projects", "create", PROJECT, environment=environment)
    return Home(environment, dsn, directory)


@pytest_asyncio.fixture(scope="session")
async def shared_home(
    postgres_server: str, neo4j_address: Neo4jAddress, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Home]:
    """Databases for servers that many tests share; each test uses its own scopes."""
    async with empty_database(postgres_server) as dsn:
        home = await make_home(dsn, neo4j_address, tmp_path_factory.mktemp("server"))
        yield home
        await home.end()


@pytest_asyncio.fixture
async def home(
    postgres_dsn: str, neo4j_address: Neo4jAddress, tmp_path: Path
) -> AsyncIterator[Home]:
    """Databases for one test, with a project, prepared without starting the command line."""
    async with prepared_home(postgres_dsn, neo4j_address, tmp_path) as home:
        yield home


@asynccontextmanager
async def prepared_home(dsn: str, neo4j: Neo4jAddress, directory: Path) -> AsyncIterator[Home]:
    """Yields a project in a migrated database, and kills its servers after the block.

    The name of the project is unique, because all tests share one graph.
    """
    project = f"{PROJECT}-{uuid4()}"
    await create_project(dsn, project)
    environment = external_environment(as_service(dsn), neo4j, MEMOIR_GRPC_REFLECTION="true")
    home = Home(environment, dsn, directory, project)
    try:
        yield home
    finally:
        await home.end()


@pytest_asyncio.fixture(scope="session")
async def key(shared_home: Home) -> str:
    """A key of the shared project."""
    return await create_key(shared_home.environment, "--project", PROJECT)


@pytest_asyncio.fixture(scope="session")
async def server(shared_home: Home) -> AsyncIterator[ServerProcess]:
    """A running server with the offline models, shared by many tests."""
    process = shared_home.server()
    await process.start()
    async with connected(process.address, await key_of_new(shared_home)) as client:
        await warm_up_graph(client)
    yield process
    await process.stop()


async def warm_up_graph(client: Client) -> None:
    """Projects a relation, for which a fresh Neo4j on a busy machine takes longer than reads wait.

    It has to load its code and to plan its statements first.
    """
    added = await client.memory.AddMemories(
        AddMemoriesRequest(user_id="u", messages=[Message(role="user", content="I live in Rome.")]),
        metadata=client.metadata,
    )
    read = ListRelationsRequest(user_id="u", consistency_token=added.consistency_token)
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                await client.graph.ListRelations(read, metadata=client.metadata)
            except grpc.aio.AioRpcError as error:
                if error.code() is not grpc.StatusCode.UNAVAILABLE:
                    raise
            else:
                return


@pytest_asyncio.fixture(scope="session")
async def client(server: ServerProcess, key: str) -> AsyncIterator[Client]:
    """A client of the shared server."""
    async with connected(server.address, key) as connection:
        yield connection


@pytest.fixture
def user() -> str:
    """A user id that no other test uses."""
    return f"user-{uuid4()}"


@pytest_asyncio.fixture
async def gemini() -> AsyncIterator[GeminiEndpoint]:
    """A local endpoint of the Gemini API."""
    async with GeminiEndpoint() as endpoint:
        yield endpoint
