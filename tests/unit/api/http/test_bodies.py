"""Bodies are read within limits of size and time."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Sequence

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from server.api.http.bodies import Bodies, BodyLimits, BodyRefused

LIMITS = BodyLimits(largest=100, together=150, seconds=0.05)


def request_of(chunks: Sequence[bytes | None], **headers: str) -> tuple[Request, list[bytes]]:
    """Returns a request with a body of these chunks, and the read ones; None is a disconnect."""
    read: list[bytes] = []

    async def receive() -> Message:
        if len(read) == len(chunks):
            await asyncio.Event().wait()
        chunk = chunks[len(read)]
        if chunk is None:
            return {"type": "http.disconnect"}
        read.append(chunk)
        return {"type": "http.request", "body": chunk, "more_body": len(read) < len(chunks)}

    encoded = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": encoded}
    return Request(scope, receive), read


async def refusal(bodies: Bodies, request: Request) -> int:
    with pytest.raises(BodyRefused) as caught:
        await bodies.read(request)
    return caught.value.http_status


async def test_chunks_are_joined() -> None:
    request, _ = request_of([b"ab", b"", b"c"])
    assert await Bodies(LIMITS).read(request) == b"abc"


async def test_a_body_that_is_too_large_is_read_to_its_end_and_refused() -> None:
    request, read = request_of([b"x" * 60] * 4)
    assert await refusal(Bodies(LIMITS), request) == 413
    assert len(read) == 4


async def test_an_endless_body_is_not_read_forever() -> None:
    request, read = request_of([b"x" * 60] * 1000)
    assert await refusal(Bodies(LIMITS), request) == 413
    assert len(read) < 10


async def test_a_body_that_does_not_arrive_is_refused() -> None:
    request, _ = request_of([b"x"])
    slow = Request(request.scope, _never)
    assert await refusal(Bodies(LIMITS), slow) == 408


async def _never() -> Message:
    await asyncio.Event().wait()
    raise AssertionError


async def test_a_client_that_disconnects_is_noticed() -> None:
    request, _ = request_of([b"x", None])
    with pytest.raises(ClientDisconnect):
        await Bodies(LIMITS).read(request)


async def test_the_bytes_of_all_bodies_are_limited_and_released() -> None:
    bodies = Bodies(LIMITS)
    arrived = asyncio.Event()

    async def receive() -> Message:
        if arrived.is_set():
            await asyncio.Event().wait()
        arrived.set()
        return {"type": "http.request", "body": b"x" * 90, "more_body": True}

    first, _ = request_of([])
    reading = asyncio.create_task(refusal(bodies, Request(first.scope, receive)))
    await arrived.wait()
    second, _ = request_of([b"x" * 90])
    assert await refusal(bodies, second) == 503
    assert await reading == 408
    third, _ = request_of([b"x" * 90])
    assert len(await bodies.read(third)) == 90


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (gzip.compress(b"x" * 101), 413),
        (gzip.compress(b"x" * 100)[:-9], 400),
        (gzip.compress(b"x") + b"rest", 400),
        (b"no gzip", 400),
    ],
    ids=["too long", "cut", "more behind it", "not compressed"],
)
async def test_compressed_bodies_must_be_complete_and_within_the_limit(
    body: bytes, status: int
) -> None:
    request, _ = request_of([body], content_encoding="gzip")
    assert await refusal(Bodies(LIMITS), request) == status


async def test_a_compressed_body_is_decompressed() -> None:
    request, _ = request_of([gzip.compress(b"x" * 100)], content_encoding="gzip")
    assert await Bodies(LIMITS).read(request) == b"x" * 100
