"""Reads the bodies of HTTP requests, within limits of size, number and time."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect, Request

# Parameters of zlib: a window of 2^15 bytes, and automatic detection of gzip or zlib headers.
_ANY_FRAME: Final = 32 + zlib.MAX_WBITS
# A client that is still sending when the connection closes does not see the response. So this many
# times the limit is read and discarded before a body is refused.
_DISCARDED_LIMITS: Final = 4
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})


class BodyRefused(Exception):
    """The body was not read completely; the HTTP status gives the reason."""

    def __init__(self, http_status: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """`largest` limits one body, before and after decompression; `together` limits all bodies.

    Both are in bytes. `seconds` is the time for one body to arrive.
    """

    largest: int
    together: int
    seconds: float = 30.0


class Bodies:
    """Reads bodies, within limits for each body and for all that are read at the same time."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """Returns the whole body, decompressed.

        Raises:
            BodyRefused: the body is too large, too slow, or compressed in an unknown way.
            ClientDisconnect: the client disconnected.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in _ENCODINGS | {"identity"}:
            raise BodyRefused(415, f"the content encoding must be gzip or deflate, not {encoding}")
        raw = await self._read(request)
        return raw if encoding == "identity" else self._decompress(raw)

    async def _read(self, request: Request) -> bytes:
        body = bytearray()
        size = held = 0
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for chunk in _chunks(request):
                    size += len(chunk)
                    if size > self._limits.largest * _DISCARDED_LIMITS:
                        break
                    if size <= self._limits.largest:
                        held += len(chunk)
                        self._held += len(chunk)
                        body += chunk
                    if self._held > self._limits.together:
                        raise BodyRefused(
                            503, "the server reads too many requests at once; send it again later"
                        )
        except TimeoutError:
            raise BodyRefused(408, "the body did not arrive in time; send it again") from None
        finally:
            self._held -= held
        if size > self._limits.largest:
            raise self._too_large()
        return bytes(body)

    def _decompress(self, raw: bytes) -> bytes:
        inflate = zlib.decompressobj(_ANY_FRAME)
        try:
            body = inflate.decompress(raw, self._limits.largest + 1)
        except zlib.error:
            raise BodyRefused(400, "the body is not compressed as its headers say") from None
        if len(body) > self._limits.largest:
            raise self._too_large()
        if not inflate.eof or inflate.unused_data:
            raise BodyRefused(400, "the body is not compressed as its headers say")
        return body

    def _too_large(self) -> BodyRefused:
        return BodyRefused(413, f"the body is larger than {self._limits.largest} bytes")


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    """Yields the chunks of the body."""
    more = True
    while more:
        event = await request.receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        more = bool(event.get("more_body"))
        if chunk := event.get("body"):
            yield chunk
