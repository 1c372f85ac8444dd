"""Builds calls for tests of a single interceptor: a method, and a stand-in for gRPC's context."""

from __future__ import annotations

from typing import Any

import grpc

from server.api.grpc.admission import Admission, AdmissionLimits
from server.api.grpc.decoding import Codec
from server.api.grpc.interceptors.chain import Behavior
from server.api.grpc.interceptors.context import CallContext, Metadata, Method, describe
from server.api.grpc.interceptors.drain import DrainGate
from server.api.grpc.interceptors.entry import Authenticate, EntryInterceptor
from server.api.grpc.rate_limit import RateLimiter
from server.projects.project import Principal

ANYONE = Principal("k", "o", "p")
AUTHORIZED: Metadata = (("authorization", "Token a"),)
CODEC = Codec("s.S/M", bytes.decode, str.encode)


def method(path: str = "/s.S/M") -> Method:
    """A unary method."""
    return describe(path, unary(lambda _request, _context: None))


def unary(behavior: Behavior) -> Any:
    """A unary handler whose messages are texts."""
    return grpc.unary_unary_rpc_method_handler(behavior, CODEC.deserializer, CODEC.serializer)


async def accept_any(_key: str) -> Principal:
    return ANYONE


def entry(
    gate: DrainGate | None = None, authenticate: Authenticate = accept_any
) -> EntryInterceptor:
    """Admission and limits, unlimited by default."""
    return EntryInterceptor(
        gate or DrainGate(),
        30.0,
        authenticate,
        Admission(AdmissionLimits()),
        RateLimiter(0.0, 1),
    )


class Wire:
    """Records what is set on gRPC's context."""

    def __init__(self, metadata: Metadata = (), peer: str = "unix:/run/memoir") -> None:
        self.metadata = metadata
        self._peer = peer
        self.incoming: list[Any] = []
        self.written: list[bytes] = []
        self.trailers: Metadata = ()
        self.aborted: tuple[grpc.StatusCode, str] | None = None

    def invocation_metadata(self) -> Metadata:
        return self.metadata

    def peer(self) -> str:
        return self._peer

    def time_remaining(self) -> None:
        """Returns None, as gRPC does if the client set no deadline."""

    def code(self) -> None:
        """Returns None, as gRPC does if no code was set."""

    async def read(self) -> Any:
        return self.incoming.pop(0)

    async def write(self, message: bytes) -> None:
        self.written.append(message)

    def set_trailing_metadata(self, trailing_metadata: Metadata) -> None:
        self.trailers = trailing_metadata

    async def abort(self, code: grpc.StatusCode, details: str, trailing_metadata: Any) -> None:
        self.aborted = code, details
        self.trailers = trailing_metadata
        raise grpc.aio.AbortError


def context_on(wire: Any) -> CallContext:
    """Returns a context for the wire."""
    return CallContext(wire, CODEC)
