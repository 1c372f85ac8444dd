"""Databases with TLS: the server checks their certificates with the documented settings."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import grpc
import pytest
from memoir.v1 import graph_service_pb2, memory_pb2, memory_service_pb2

from server.core.values import Neo4jAddress
from tests.support.certificates import Authority
from tests.support.errors import details_of
from tests.support.processes import eventually
from tests.support.server import CommandFailed, Home, connected, key_of, run_command
from tests.support.tls_proxy import Streams, encrypting

GRAPH_SECONDS = 60.0


def postgres_at(dsn: str, authority: Authority, *hosts: str) -> AbstractAsyncContextManager[int]:
    """A TLS proxy for the PostgreSQL of a DSN, with a certificate for these hosts."""
    [socket] = parse_qs(urlsplit(dsn).query)["host"]

    async def connect() -> Streams:
        return await asyncio.open_unix_connection(f"{socket}/.s.PGSQL.5432")

    context = authority.server_context(*hosts)
    return encrypting(connect, context, asked=True)


def neo4j_at(address: Neo4jAddress, authority: Authority) -> AbstractAsyncContextManager[int]:
    """A TLS proxy for a Neo4j."""
    inner = urlsplit(address.uri)

    async def connect() -> Streams:
        return await asyncio.open_connection(inner.hostname, inner.port)

    return encrypting(connect, authority.server_context())


def verifying(dsn: str, port: int, authority: Authority) -> str:
    """The DSN of the same database through a proxy, as documented."""
    database = urlsplit(dsn).path.removeprefix("/")
    return (
        f"postgresql://postgres@localhost:{port}/{database}"
        f"?sslmode=verify-full&sslrootcert={authority.path}"
    )


async def test_a_server_works_with_databases_that_use_tls(
    home: Home, neo4j_address: Neo4jAddress, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    async with (
        postgres_at(home.postgres_dsn, authority) as postgres,
        neo4j_at(neo4j_address, authority) as neo4j,
    ):
        server = home.server(
            MEMOIR_POSTGRES_DSN=verifying(home.postgres_dsn, postgres, authority),
            MEMOIR_NEO4J_URI=f"bolt+s://localhost:{neo4j}",
            SSL_CERT_FILE=str(authority.path),
        )
        await server.start()
        async with connected(server.address, await key_of(home)) as client:
            added = await client.memory.AddMemories(
                memory_service_pb2.AddMemoriesRequest(
                    user_id="alice",
                    messages=[memory_pb2.Message(role="user", content="I live in Lisbon.")],
                ),
                metadata=client.metadata,
            )
            assert added.results

            async def is_related() -> bool:
                request = graph_service_pb2.ListRelationsRequest(user_id="alice")
                try:
                    found = await client.graph.ListRelations(request, metadata=client.metadata)
                except grpc.aio.AioRpcError as error:
                    # Its first connections may take longer than a call waits.
                    if error.code() is not grpc.StatusCode.UNAVAILABLE:
                        raise
                    return False
                return [relation.target for relation in found.relations] == ["Lisbon"]

            await eventually(is_related, GRAPH_SECONDS, "a relation in the graph")
        assert await server.stop() == 0


async def test_nothing_is_sent_to_a_neo4j_of_another_authority(
    home: Home, neo4j_address: Neo4jAddress, tmp_path: Path
) -> None:
    async with neo4j_at(neo4j_address, Authority(tmp_path)) as neo4j:
        server = home.server(
            MEMOIR_NEO4J_URI=f"bolt+s://localhost:{neo4j}",
            SSL_CERT_FILE=str(Authority(tmp_path, "other").path),
        )
        await server.start()
        async with connected(server.address, await key_of(home)) as client:
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await client.graph.ListRelations(
                    graph_service_pb2.ListRelationsRequest(user_id="alice"),
                    metadata=client.metadata,
                )
            assert details_of(refused.value).reason == "GRAPH_UNAVAILABLE"
        assert await server.stop() == 0


@pytest.mark.parametrize("wrong", ["authority", "name"])
async def test_a_postgresql_that_cannot_prove_itself_is_refused(
    home: Home, tmp_path: Path, wrong: str
) -> None:
    authority = Authority(tmp_path)
    trusted = Authority(tmp_path, "other") if wrong == "authority" else authority
    hosts = ("elsewhere.example",) if wrong == "name" else ()
    async with postgres_at(home.postgres_dsn, authority, *hosts) as port:
        environment = {
            **home.environment,
            "MEMOIR_POSTGRES_DSN": verifying(home.postgres_dsn, port, trusted),
        }
        with pytest.raises(CommandFailed, match="CERTIFICATE_VERIFY_FAILED"):
            await run_command("projects", "list", environment=environment)
