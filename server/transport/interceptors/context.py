"""The context of a call, as interceptors and handlers see it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Never, TypeAlias

import grpc

from server.transport.decoding import Codec

Context: TypeAlias = grpc.aio.ServicerContext[Any, Any]
Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]


class CallContext(grpc.aio.ServicerContext[Any, Any]):
    """gRPC's own context, with three differences.

    Messages are read and written where gRPC's context carries bytes; what is written is counted in
    `messages_written` and `bytes_written`; and the trailers that an interceptor adds are sent
    whatever trailers the handler sets.
    """

    def __init__(self, inner: Context, codec: Codec) -> None:
        self._inner = inner
        self._codec = codec
        self._added: Metadata = ()
        self._handlers: Metadata = ()
        self._metadata: Metadata | None = None
        self.request_bytes = 0
        """The size of the request, once it was read; 0 where the client streams."""
        self.messages_written = 0
        self.bytes_written = 0

    def add_trailer(self, key: str, value: str) -> None:
        """Sends this trailer with the call's answer, beside those of the handler."""
        self._added = (*self._added, (key, value))
        self._inner.set_trailing_metadata(self._handlers + self._added)

    async def read(self) -> Any:
        raw = await self._inner.read()
        return raw if raw is grpc.aio.EOF else self._codec.decode(raw)

    async def write(self, message: Any) -> None:
        raw = self._codec.encode(message)
        await self._inner.write(raw)
        self.messages_written += 1
        self.bytes_written += len(raw)

    async def abort(
        self, code: grpc.StatusCode, details: str = "", trailing_metadata: Any = ()
    ) -> Never:
        trailers = self._handlers + tuple(trailing_metadata) + self._added
        await self._inner.abort(code, details, trailers)

    async def abort_with_status(self, status: grpc.Status) -> Never:
        await self.abort(status.code, status.details, status.trailing_metadata)

    async def send_initial_metadata(self, initial_metadata: Any) -> None:
        await self._inner.send_initial_metadata(initial_metadata)

    def set_trailing_metadata(self, trailing_metadata: Any) -> None:
        self._handlers = tuple(trailing_metadata)
        self._inner.set_trailing_metadata(self._handlers + self._added)

    def trailing_metadata(self) -> Any:
        return self._inner.trailing_metadata()

    def invocation_metadata(self) -> Any:
        # gRPC builds the tuple anew whenever it is asked.
        if self._metadata is None:
            self._metadata = tuple(self._inner.invocation_metadata() or ())
        return self._metadata

    def set_code(self, code: grpc.StatusCode) -> None:
        self._inner.set_code(code)

    def code(self) -> grpc.StatusCode:
        return self._inner.code()

    def set_details(self, details: str) -> None:
        self._inner.set_details(details)

    def details(self) -> str:
        return self._inner.details()

    def set_compression(self, compression: grpc.Compression) -> None:
        self._inner.set_compression(compression)

    def disable_next_message_compression(self) -> None:
        self._inner.disable_next_message_compression()

    def peer(self) -> str:
        return self._inner.peer()

    def peer_identities(self) -> Iterable[bytes] | None:
        return self._inner.peer_identities()

    def peer_identity_key(self) -> str | None:
        return self._inner.peer_identity_key()

    def auth_context(self) -> Mapping[str, Iterable[bytes]]:
        return self._inner.auth_context()

    def time_remaining(self) -> float:
        return self._inner.time_remaining()

    def add_done_callback(self, callback: Any) -> None:
        self._inner.add_done_callback(callback)

    def cancelled(self) -> bool:
        return self._inner.cancelled()

    def done(self) -> bool:
        return self._inner.done()
