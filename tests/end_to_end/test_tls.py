"""TLS on every door, with certificates that are replaced while the server runs."""

from __future__ import annotations

import asyncio
import ssl
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import memoir
import pytest
import pytest_asyncio
from grpc_health.v1 import health_pb2, health_pb2_grpc
from memoir.v1 import memory_service_pb2, memory_service_pb2_grpc

from server.core.values import Neo4jAddress
from server.embedded.neo4j_home import free_port
from tests.support.certificates import Authority
from tests.support.postgres import migrated_database
from tests.support.server import (
    CommandFailed,
    Home,
    ServerProcess,
    key_of,
    prepared_home,
    run_command,
)

READINESS = health_pb2.HealthCheckRequest(service="memoir.v1.MemoryService")
RELOAD_SECONDS = 30.0


class Encrypted:
    """A server with mutual TLS, and the files of its clients."""

    def __init__(self, directory: Path, home: Home, workers: int) -> None:
        self.directory = directory
        self.authority = Authority(directory)
        chain, key = self.authority.certify("server")
        self.health_port, self.metrics_port, self.page_port = free_port(), free_port(), free_port()
        self.process: ServerProcess = home.server(
            MEMOIR_TLS_CERT=str(chain),
            MEMOIR_TLS_KEY=str(key),
            MEMOIR_TLS_CLIENT_CA=str(self.authority.path),
            MEMOIR_METRICS_PORT=str(self.metrics_port),
            MEMOIR_PAGE_PORT=str(self.page_port),
            MEMOIR_GRPC_HEALTH_PORT=str(self.health_port),
            MEMOIR_WORKERS=str(workers),
        )

    def replace(self) -> None:
        """Replaces the authority and the certificate."""
        self.authority = Authority(self.directory)
        self.authority.certify("server")

    @property
    def tls(self) -> memoir.Tls:
        """The current certificate and authority of a client."""
        return memoir.Tls(self.authority.path, *self.authority.certify("client"))

    def channel(self) -> grpc.aio.Channel:
        """A new connection."""
        alone = [("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.secure_channel(self.process.address, self.tls.credentials(), alone)

    def get(self, url: str, context: ssl.SSLContext | None = None, **headers: str) -> str:
        """The response of an address to a client with the current files."""
        chosen = context or self.authority.client_context(
            certified=self.authority.certify("client")
        )
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, context=chosen, timeout=30) as answer:
            return str(answer.read().decode())

    @property
    def urls(self) -> tuple[tuple[str, str], ...]:
        """The addresses of HTTP, each with a word of its response."""
        return (
            (f"{self.process.http_address}/openapi.json", "openapi"),
            (f"https://127.0.0.1:{self.metrics_port}/metrics", "memoir_build_info"),
            (f"https://127.0.0.1:{self.page_port}/", "<html"),
        )


ALONE = pytest.mark.parametrize("encrypted", [1], indirect=True)
BY_WORKERS = pytest.mark.parametrize("encrypted", [2], indirect=True)


@pytest_asyncio.fixture(scope="module")
async def home(
    postgres_server: str, neo4j_address: Neo4jAddress, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Home]:
    """A project for all of these tests."""
    async with (
        migrated_database(postgres_server) as dsn,
        prepared_home(dsn, neo4j_address, tmp_path_factory.mktemp("home")) as home,
    ):
        yield home


@pytest_asyncio.fixture(scope="module", params=[1, 2], ids=["alone", "workers"])
async def encrypted(
    request: pytest.FixtureRequest, home: Home, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Encrypted]:
    """A server that tests share, because one with several processes takes seconds to start."""
    server = Encrypted(tmp_path_factory.mktemp("encrypted"), home, request.param)
    await server.process.start()
    yield server
    assert await server.process.stop() == 0


async def soon(attempt: Any) -> Any:
    """The result of the attempt, once it succeeds."""
    async with asyncio.timeout(RELOAD_SECONDS):
        while True:
            try:
                return await attempt()
            except (grpc.aio.AioRpcError, urllib.error.URLError, OSError):
                # The server checks the files once a second.
                await asyncio.sleep(0.2)


async def test_every_door_encrypts_and_new_certificates_drop_nothing(
    encrypted: Encrypted, home: Home, user: str
) -> None:
    key = await key_of(home)
    authorized = (("authorization", f"Token {key}"),)
    async with (
        memoir.AsyncClient(encrypted.process.address, key, tls=encrypted.tls) as client,
        encrypted.channel() as channel,
    ):
        await client.add("I drink tea.", user_id=user, infer=False)
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        watch = stub.WatchMemoryEvents(
            memory_service_pb2.WatchMemoryEventsRequest(user_id=user), metadata=authorized
        )
        await watch.read()
        encrypted.replace()

        async def check() -> None:
            async with encrypted.channel() as fresh:
                await health_pb2_grpc.HealthStub(fresh).Check(READINESS, timeout=30)

        await soon(check)
        await client.add("I play chess.", user_id=user, infer=False)
        event = await watch.read()
        assert isinstance(event, memory_service_pb2.WatchMemoryEventsResponse)
        assert event.event.after.text == "I play chess."
        watch.cancel()
    for url, expected in encrypted.urls:
        answer = await soon(lambda url=url: asyncio.to_thread(encrypted.get, url))
        assert expected in answer


@ALONE
async def test_clients_without_a_certificate_reach_health_alone(encrypted: Encrypted) -> None:
    address = encrypted.process.address
    for credentials in (memoir.Tls(encrypted.authority.path).credentials(), None):
        opened = (
            grpc.aio.insecure_channel(address)
            if credentials is None
            else grpc.aio.secure_channel(address, credentials)
        )
        async with opened as channel:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await health_pb2_grpc.HealthStub(channel).Check(READINESS, timeout=30)
            assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    nameless = encrypted.authority.client_context()
    for url, _ in encrypted.urls:
        await soon(lambda url=url: asyncio.to_thread(encrypted.get, url))
        # In TLS 1.3 the refusal arrives with the first read.
        with pytest.raises((urllib.error.URLError, OSError)):
            await asyncio.to_thread(encrypted.get, url, nameless)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{encrypted.health_port}") as channel:
        checked = await health_pb2_grpc.HealthStub(channel).Check(READINESS, timeout=30)
        assert checked.status == health_pb2.HealthCheckResponse.SERVING
        stub = memory_service_pb2_grpc.MemoryServiceStub(channel)
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.GetMemory(memory_service_pb2.GetMemoryRequest(), timeout=30)
        assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


@BY_WORKERS
async def test_the_page_and_the_tools_call_a_server_that_encrypts(
    encrypted: Encrypted, home: Home
) -> None:
    key = await key_of(home)
    page = encrypted.urls[-1][0]
    await soon(lambda: asyncio.to_thread(encrypted.get, page))

    def ask(url: str, body: bytes, **headers: str) -> str:
        request = urllib.request.Request(
            url,
            data=body,
            headers={
                "authorization": f"Token {key}",
                "content-type": "application/json",
                **headers,
            },
        )
        context = encrypted.authority.client_context(
            certified=encrypted.authority.certify("client")
        )
        with urllib.request.urlopen(request, context=context, timeout=20) as answer:
            return str(answer.read().decode())

    asked = b'{"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}'
    headers = {"memoir-user-id": "alice", "accept": "application/json, text/event-stream"}
    tools = await asyncio.to_thread(ask, f"{encrypted.process.http_address}/mcp", asked, **headers)
    assert "search_memories" in tools
    statistics = await asyncio.to_thread(ask, f"{page}api/StatisticsService/GetStatistics", b"{}")
    assert "statistics" in statistics


@ALONE
async def test_top_shows_its_certificate(encrypted: Encrypted, home: Home, tmp_path: Path) -> None:
    key_file = tmp_path / "key"
    key_file.write_text(await key_of(home))
    chain, private = encrypted.authority.certify("client")
    known = ("--ca", str(encrypted.authority.path), "--cert", str(chain), "--key", str(private))
    options = ("top", "--address", encrypted.process.address, "--key-file", str(key_file), "--once")
    assert "Memoir at" in await run_command(*options, *known, environment=home.environment)
    with pytest.raises(CommandFailed):
        await run_command(*options, *known[:2], environment=home.environment)


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"MEMOIR_TLS_CERT": "c"}, "MEMOIR_TLS_KEY"),
        ({"MEMOIR_TLS_CLIENT_CA": "c"}, "MEMOIR_TLS_CERT"),
        ({"MEMOIR_TLS_CERT": "/no/c", "MEMOIR_TLS_KEY": "/no/k"}, "/no/c"),
    ],
)
async def test_a_server_does_not_start_without_the_encryption_that_is_asked_for(
    home: Home, variables: dict[str, str], named: str
) -> None:
    environment = {**home.environment, **variables}
    assert named in await run_command("serve", environment=environment, status=2)
