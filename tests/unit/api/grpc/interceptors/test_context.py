"""The context of a call, beyond that of gRPC."""

from __future__ import annotations

import grpc
import pytest

from tests.unit.api.grpc.calls import Wire, context_on


@pytest.fixture
def wire() -> Wire:
    return Wire()


async def test_messages_are_written_as_bytes_and_counted(wire: Wire) -> None:
    context = context_on(wire)
    await context.write("abc")
    await context.write("é")
    assert wire.written == [b"abc", "é".encode()]
    assert (context.messages_written, context.bytes_written) == (2, 5)


class HungUp(Wire):
    async def write(self, message: bytes) -> None:
        raise grpc.aio.InternalError


async def test_a_message_that_is_not_sent_is_not_counted() -> None:
    context = context_on(HungUp())
    with pytest.raises(grpc.aio.InternalError):
        await context.write("abc")
    assert (context.messages_written, context.bytes_written) == (0, 0)


async def test_messages_are_read_from_bytes_until_the_end(wire: Wire) -> None:
    wire.incoming = [b"abc", grpc.aio.EOF]
    context = context_on(wire)
    assert await context.read() == "abc"
    assert await context.read() is grpc.aio.EOF


def test_added_trailers_are_kept_when_the_handler_sets_others(wire: Wire) -> None:
    context = context_on(wire)
    context.add_trailer("a", "1")
    assert list(wire.trailers) == [("a", "1")]
    context.set_trailing_metadata([("x", "2")])
    context.set_trailing_metadata([("y", "3")])
    context.add_trailer("b", "4")
    assert list(wire.trailers) == [("y", "3"), ("a", "1"), ("b", "4")]


async def test_an_abort_sends_all_trailers(wire: Wire) -> None:
    context = context_on(wire)
    context.set_trailing_metadata([("x", "2")])
    context.add_trailer("a", "1")
    with pytest.raises(grpc.aio.AbortError):
        await context.abort(grpc.StatusCode.ABORTED, "text", (("z", "5"),))
    assert wire.aborted == (grpc.StatusCode.ABORTED, "text")
    assert list(wire.trailers) == [("x", "2"), ("z", "5"), ("a", "1")]
