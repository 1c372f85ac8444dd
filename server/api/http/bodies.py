"""Reading the bodies of requests, within bounds of size, time and memory."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import orjson
from starlette.requests import ClientDisconnect, Request

from server.core.errors import FieldViolation, MalformedRequest

# zlib's own numbers: the window of 2^15 bytes, with gzip's or zlib's frame found out by itself.
_ANY_FRAME: Final = 32 + zlib.MAX_WBITS
# A client that is still sending when the connection closes sees no answer. So this many times the
# limit is read before a body is refused, and not kept.
_READ_IN_VAIN: Final = 4
_ENCODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})


class BodyRefused(Exception):
    """A body is not read to its end; the HTTP status says why."""

    def __init__(self, http_status: int, message: str) -> None:
        super().__init__(message)
        self.http_status = http_status


@dataclass(frozen=True, slots=True)
class BodyLimits:
    """`largest` bounds one body, before and after decompression; `together` all that are read.

    Both are in bytes, `seconds` is the time for one body to arrive.
    """

    largest: int
    together: int = 128 * 1024 * 1024
    seconds: float = 30.0


class Bodies:
    """Reads bodies; what is being read at once is bounded too."""

    def __init__(self, limits: BodyLimits) -> None:
        self._limits = limits
        self._held = 0

    async def read(self, request: Request) -> bytes:
        """The whole body, decompressed.

        Raises:
            BodyRefused: it is too large, too slow, or compressed in an unknown way.
            ClientDisconnect: the client is gone.
        """
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        if encoding not in _ENCODINGS | {"identity"}:
            raise BodyRefused(415, f"the content encoding must be gzip or deflate, not {encoding}")
        raw = await self._arrived(request)
        return raw if encoding == "identity" else self._decompressed(raw)

    async def _arrived(self, request: Request) -> bytes:
        body = bytearray()
        size = held = 0
        try:
            async with asyncio.timeout(self._limits.seconds):
                async for chunk in _chunks(request):
                    size += len(chunk)
                    if size > self._limits.largest * _READ_IN_VAIN:
                        break
                    if size <= self._limits.largest:
                        held += len(chunk)
                        self._held += len(chunk)
                        body += chunk
                    if self._held > self._limits.together:
                        raise BodyRefused(503, "the server reads too many requests at once")
        except TimeoutError:
            raise BodyRefused(408, "the body did not arrive in time") from None
        finally:
            self._held -= held
        if size > self._limits.largest:
            raise self._too_large()
        return bytes(body)

    def _decompressed(self, raw: bytes) -> bytes:
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
    """The chunks of the body, read to the end even if it is found out late that it is too long."""
    more = True
    while more:
        event = await request.receive()
        if event["type"] == "http.disconnect":
            raise ClientDisconnect
        more = bool(event.get("more_body"))
        if chunk := event.get("body"):
            yield chunk


def parsed(raw: bytes) -> object:
    """The JSON value of a body; of an empty one, an empty object.

    Raises:
        MalformedRequest: it is not JSON.
    """
    if not raw:
        return {}
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise MalformedRequest([FieldViolation("", f"the body is not JSON: {error}")]) from None
