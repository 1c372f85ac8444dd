"""Malformed requests to every method of the contract."""

from __future__ import annotations

import random
from typing import Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from server.api.grpc.server import CONTRACT
from tests.support.errors import details_of

METHODS: Final = [method for service in CONTRACT for method in service.methods]
CALL_SECONDS: Final = 5.0
_DAMAGED: Final = 8
"""The most bytes of a well-formed message that are replaced."""

Metadata = tuple[tuple[str, str], ...]


def noise(chance: random.Random, method: MethodDescriptor) -> bytes:
    """Returns random bytes, or a damaged or truncated message of the method."""
    if chance.random() < 0.5:
        return chance.randbytes(chance.randrange(200))
    damaged = bytearray(_filled(chance, GetMessageClass(method.input_type)()).SerializeToString())
    for _ in range(chance.randrange(_DAMAGED)):
        if damaged:
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged[: chance.randrange(len(damaged) + 1)])


def _filled(chance: random.Random, message: Message, depth: int = 0) -> Message:
    """Returns the message with random strings and numbers in some of its fields."""
    for field in message.DESCRIPTOR.fields:
        if field.is_repeated or chance.random() < 0.3:
            continue
        if field.cpp_type == field.CPPTYPE_STRING and field.type == field.TYPE_STRING:
            setattr(
                message, field.name, chance.choice(["", "x", "\u202e", "a" * 300, "2026-01-01"])
            )
        elif field.cpp_type == field.CPPTYPE_MESSAGE and depth < 2:
            _filled(chance, getattr(message, field.name), depth + 1)
    return message


async def code_of(
    channel: grpc.aio.Channel, method: MethodDescriptor, request: bytes, metadata: Metadata
) -> grpc.StatusCode:
    """Calls the method with these bytes and returns the status code.

    Raises:
        AssertionError: an error has no typed details.
    """
    path = f"/{method.containing_service.full_name}/{method.name}"
    try:
        if method.server_streaming:
            stream: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = channel.unary_stream(path)
            await stream(request, metadata=metadata, timeout=1.0).read()
        else:
            unary: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(path)
            await unary(request, metadata=metadata, timeout=CALL_SECONDS)
    except grpc.aio.AioRpcError as error:
        bare = (
            error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED and not details_of(error).reason
        )
        if bare:
            raise AssertionError(f"{path}: {error}") from error
        return error.code()
    return grpc.StatusCode.OK
