"""What the page's port bounds, and what it answers beyond that."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aiohttp
import pytest
import structlog
from aiohttp import web

from server.api.page.limits import Limits, at_most
from server.api.page.page import PageOptions, serving_page
from server.api.page.protection import HEADERS, protection
from tests.support.processes import eventually

HOSTS = frozenset({"127.0.0.1"})
NO_SERVICE = "127.0.0.1:1"
REQUEST = b"GET /no-such HTTP/1.1\r\nHost: 127.0.0.1\r\n"
WAIT_SECONDS = 10.0
PATIENCE = aiohttp.ClientTimeout(total=WAIT_SECONDS)

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def page(limits: Limits) -> AsyncIterator[int]:
    options = PageOptions("127.0.0.1", 0, (), NO_SERVICE)
    async with serving_page(options, limits) as port:
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
    """The whole answer to a request that wants no other after it."""
    reader, writer = streams
    writer.write(REQUEST + b"Connection: close\r\n\r\n")
    return await asyncio.wait_for(reader.read(), WAIT_SECONDS)


async def ended(streams: Streams) -> bytes:
    """What came before the other side closed."""
    with suppress(ConnectionResetError):
        return await asyncio.wait_for(streams[0].read(), WAIT_SECONDS)
    return b""


async def test_connections_beyond_the_limit_are_told_so_until_there_is_room() -> None:
    async with page(Limits(connections=2)) as port:
        async with connection(port), connection(port) as second:
            # Answered, so that both are known to be taken.
            second[1].write(REQUEST + b"\r\n")
            await asyncio.wait_for(second[0].readuntil(b"404"), WAIT_SECONDS)
            async with connection(port) as third:
                refusal = await answer_of(third)
            assert refusal.startswith(b"HTTP/1.1 503 ")
            assert b"Retry-After: 1\r\n" in refusal
            assert all(f"{name}: {value}".encode() in refusal for name, value in HEADERS.items())

        async def has_room() -> bool:
            async with connection(port) as streams:
                return (await answer_of(streams)).startswith(b"HTTP/1.1 404 ")

        await eventually(has_room, WAIT_SECONDS, "room for a connection")


async def test_refusals_are_bounded_too() -> None:
    limits = Limits(connections=0, refusals=1, refusal_seconds=WAIT_SECONDS)
    async with page(limits) as port, connection(port) as told, connection(port) as beyond:
        assert await ended(beyond) == b""
        assert (await answer_of(told)).startswith(b"HTTP/1.1 503 ")


async def test_a_refused_connection_that_asks_nothing_is_closed() -> None:
    limits = Limits(connections=0, refusal_seconds=0.05)
    async with page(limits) as port, connection(port) as silent:
        assert await ended(silent) == b""


@pytest.mark.parametrize("sent", [b"", REQUEST], ids=["nothing", "headers-that-do-not-end"])
async def test_connections_that_ask_nothing_are_closed(sent: bytes) -> None:
    async with page(Limits(idle_seconds=0.1)) as port, connection(port) as streams:
        streams[1].write(sent)
        assert await ended(streams) == b""


async def test_a_connection_that_has_been_answered_is_not_kept_for_long() -> None:
    async with page(Limits(idle_seconds=0.1)) as port, connection(port) as streams:
        streams[1].write(REQUEST + b"\r\n")
        assert b"404 Not Found" in await ended(streams)


@asynccontextmanager
async def serving(application: web.Application) -> AsyncIterator[str]:
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        await runner.cleanup()


async def test_requests_beyond_the_limit_are_refused_and_the_rest_served() -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(_request: web.Request) -> web.Response:
        entered.set()
        await leave.wait()
        return web.Response(text="done")

    application = web.Application(middlewares=[protection(HOSTS), at_most(1)])
    application.router.add_get("/", slow)
    async with serving(application) as url, aiohttp.ClientSession(timeout=PATIENCE) as session:
        first = asyncio.create_task(session.get(url))
        await asyncio.wait_for(entered.wait(), WAIT_SECONDS)
        async with session.get(url) as refusal:
            assert (refusal.status, refusal.headers["retry-after"]) == (503, "1")
            assert refusal.headers["cache-control"] == "no-store"
            assert (await refusal.json())["code"] == "UNAVAILABLE"
        leave.set()
        assert (await first).status == 200
        async with session.get(url) as later:
            assert later.status == 200


@pytest.mark.parametrize(("sent", "kept"), [("page-1", True), ("not one id", False)])
async def test_what_nobody_expected_is_answered_and_logged_under_an_id(
    sent: str, *, kept: bool
) -> None:
    async def fail(_request: web.Request) -> web.Response:
        raise RuntimeError("a secret")

    application = web.Application(middlewares=[protection(HOSTS)])
    application.router.add_get("/", fail)
    with structlog.testing.capture_logs() as logs:
        async with (
            serving(application) as url,
            aiohttp.ClientSession() as session,
            session.get(url, headers={"x-correlation-id": sent}) as answer,
        ):
            body = await answer.json()
    assert (answer.status, body["code"], body["message"]) == (500, "INTERNAL", "internal error")
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert (body["correlation_id"] == sent) == kept
    assert [(each["event"], each["correlation_id"]) for each in logs] == [
        ("page.request_failed", body["correlation_id"])
    ]


async def test_a_broken_body_is_the_clients_fault() -> None:
    headers = {"content-type": "application/json", "content-encoding": "gzip"}
    async with (
        page(Limits()) as port,
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.post(
            f"http://127.0.0.1:{port}/api/StatisticsService/GetStatistics",
            data=b"no gzip",
            headers=headers,
        ) as answer,
    ):
        assert answer.status == 400
        assert (await answer.json())["code"] == "INVALID_ARGUMENT"


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
        page(Limits()) as port,
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/x", headers={"host": host}) as answer,
    ):
        assert answer.status == status
