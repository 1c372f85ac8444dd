"""The page's port: accepted requests, time limits, and responses to faults."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
import structlog

from server.api.http.serving import HttpOptions
from server.api.limits import HttpLimits
from server.api.page import HEADERS, Gateway, PageOptions, serving_page
from tests.support.processes import eventually

NO_SERVICE = "127.0.0.1:1"
REQUEST = b"GET /no-such HTTP/1.1\r\nHost: 127.0.0.1\r\n"
WAIT_SECONDS = 30.0
STATISTICS = "/api/StatisticsService/GetStatistics"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def page(
    connections: int = 64, idle_seconds: float = 20.0, names: tuple[str, ...] = ()
) -> AsyncIterator[int]:
    # A test does not wait for the shortest time that a user may set.
    limits = HttpLimits.model_construct(connections=connections, idle_seconds=idle_seconds)
    http = HttpOptions("127.0.0.1", 0, limits)
    async with serving_page(PageOptions(http, names, NO_SERVICE)) as port:
        yield port


@asynccontextmanager
async def connection(port: int) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


async def answer_of(streams: Streams) -> bytes:
    """The whole response to a request that closes the connection."""
    reader, writer = streams
    writer.write(REQUEST + b"Connection: close\r\n\r\n")
    return await asyncio.wait_for(reader.read(), WAIT_SECONDS)


async def ended(streams: Streams) -> bytes:
    """What was received before the other side closed."""
    with suppress(ConnectionResetError):
        return await asyncio.wait_for(streams[0].read(), WAIT_SECONDS)
    return b""


async def test_connections_beyond_the_limit_are_refused_until_there_is_room() -> None:
    async with page(connections=3) as port:
        async with connection(port), connection(port) as second:
            # Both have a response, so both connections are accepted.
            second[1].write(REQUEST + b"\r\n")
            await asyncio.wait_for(second[0].readuntil(b"404"), WAIT_SECONDS)
            async with connection(port) as third:
                assert (await answer_of(third)).startswith(b"HTTP/1.1 503 ")

        async def has_room() -> bool:
            async with connection(port) as streams:
                return (await answer_of(streams)).startswith(b"HTTP/1.1 404 ")

        await eventually(has_room, WAIT_SECONDS, "room for a connection")


@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["nothing", "headers-that-do-not-end"])
async def test_connections_without_requests_are_closed(sent: bytes) -> None:
    async with page(idle_seconds=0.1) as port, connection(port) as streams:
        streams[1].write(sent)
        assert await ended(streams) == b""


async def test_a_connection_that_has_been_answered_is_not_kept_for_long() -> None:
    async with page(idle_seconds=0.1) as port, connection(port) as streams:
        streams[1].write(REQUEST + b"\r\n")
        assert b"404 Not Found" in await ended(streams)


@pytest.mark.parametrize(("sent", "kept"), [("page-1", True), ("not one id", False)])
async def test_unexpected_errors_are_answered_and_logged_with_an_id(
    monkeypatch: pytest.MonkeyPatch, sent: str, *, kept: bool
) -> None:
    async def fail(*_arguments: object) -> None:
        raise RuntimeError("a secret")

    monkeypatch.setattr(Gateway, "_call", fail)
    with structlog.testing.capture_logs() as logs:
        async with (
            page() as port,
            aiohttp.ClientSession() as session,
            session.post(
                f"http://127.0.0.1:{port}{STATISTICS}", json={}, headers={"x-correlation-id": sent}
            ) as answer,
        ):
            details = (await answer.json())["details"]
    assert (answer.status, details["code"]) == (500, "INTERNAL")
    assert "a secret" not in details["message"]
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert (details["correlation_id"] == sent) == kept
    failures = [each for each in logs if each["event"] == "http.failed"]
    assert [each["correlation_id"] for each in failures] == [details["correlation_id"]]


async def test_a_broken_body_is_the_clients_fault() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    async with (
        page() as port,
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.post(
            f"http://127.0.0.1:{port}{STATISTICS}", data=b"no gzip", headers=headers
        ) as answer,
    ):
        assert answer.status == 400


async def test_a_service_that_cannot_be_reached_is_an_error_that_says_so() -> None:
    async with (
        page() as port,
        aiohttp.ClientSession() as session,
        session.post(f"http://127.0.0.1:{port}{STATISTICS}", json={}) as answer,
    ):
        assert answer.status == 503
        assert (await answer.json())["details"]["code"] == "UNAVAILABLE"


async def test_headers_that_grpc_cannot_transport_are_named() -> None:
    async with (
        page() as port,
        aiohttp.ClientSession() as session,
        session.post(
            f"http://127.0.0.1:{port}{STATISTICS}", json={}, headers={"traceparent": "\u00e9"}
        ) as answer,
    ):
        assert answer.status == 400
        (violation,) = (await answer.json())["details"]["violations"]
        assert violation["field"] == "traceparent"


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("127.0.0.1", 404),
        ("127.0.0.1:80", 404),
        ("127.0.0.1:port", 403),
        ("evil.example@127.0.0.1", 403),
        ("127.0.0.1/evil.example", 403),
        ("", 403),
        ("[::1", 403),
        ("[::1]:80", 404),
        ("LOCALHOST", 404),
    ],
)
async def test_only_whole_names_of_this_host_are_served(host: str, status: int) -> None:
    async with (
        page() as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/x", headers={"host": host}) as answer,
    ):
        assert answer.status == status
        assert all(answer.headers[name] == value for name, value in HEADERS.items())
        assert (await answer.json())["details"]["message"]


async def test_names_of_a_proxy_are_served_too() -> None:
    async with (
        page(names=("memory.example",)) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/", headers={"host": "memory.example"}) as answer,
    ):
        assert (answer.status, answer.content_type) == (200, "text/html")
