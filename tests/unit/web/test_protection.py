"""What every answer of the page is protected by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.typedefs import Handler

from server.web.protection import HEADERS, protection

Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def serving(handler: Handler, most_requests: int = 1) -> AsyncIterator[Client]:
    application = web.Application(middlewares=[protection(frozenset({"127.0.0.1"}), most_requests)])
    application.router.add_get("/", handler)
    async with TestClient(TestServer(application)) as client:
        yield client


def is_protected(answer: object) -> bool:
    headers = getattr(answer, "headers", {})
    return HEADERS.items() <= dict(headers).items()


async def test_an_unexpected_fault_is_told_without_its_text_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fail(_: web.Request) -> web.StreamResponse:
        raise RuntimeError("what Alice said")

    async with serving(fail) as client:
        answer = await client.get("/")
        told = await answer.json()
    assert (answer.status, told["code"]) == (500, "INTERNAL")
    assert "Alice" not in str(told)
    assert told["correlation_id"] in caplog.text
    assert is_protected(answer)


async def test_more_requests_at_once_than_allowed_are_refused() -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.StreamResponse:
        begun.set()
        await go_on.wait()
        return web.Response()

    async with serving(wait) as client:
        first = asyncio.create_task(client.get("/"))
        await begun.wait()
        refused = await client.get("/")
        assert (refused.status, (await refused.json())["code"]) == (503, "UNAVAILABLE")
        assert is_protected(refused)
        go_on.set()
        assert (await first).status == 200
        assert (await client.get("/")).status == 200


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:1", "127.0.0.1:80"])
async def test_the_port_of_the_host_does_not_matter(host: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response()

    async with serving(answer) as client:
        assert (await client.get("/", headers={"host": host})).status == 200


@pytest.mark.parametrize("host", ["", "evil.example", "[::1", "127.0.0.1.evil.example:80"])
async def test_what_is_another_host_or_none_is_refused(host: str) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response()

    async with serving(answer) as client:
        assert (await client.get("/", headers={"host": host})).status == 403
