"""The server answers any bytes with a clear code and keeps serving."""

from __future__ import annotations

import random

import grpc
import pytest
from google.protobuf.descriptor import MethodDescriptor

from tests.support.chaos.noise import METHODS, code_of, noise
from tests.support.seeds import seed_of
from tests.support.server import Client

CALLS = 25
# The codes for bytes that are at fault, or that happen to be a valid request.
FAIR = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.PERMISSION_DENIED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.OUT_OF_RANGE,
}


def name_of(method: MethodDescriptor) -> str:
    return f"{method.containing_service.name}/{method.name}"


@pytest.mark.parametrize("method", METHODS, ids=name_of)
async def test_random_bytes_are_answered_clearly(client: Client, method: MethodDescriptor) -> None:
    chance = random.Random(seed_of("BYTES_SEED"))
    fair = FAIR | ({grpc.StatusCode.DEADLINE_EXCEEDED} if method.server_streaming else set())
    for _ in range(CALLS):
        sent = noise(chance, method)
        assert await code_of(client.channel, method, sent, client.metadata) in fair, sent.hex()
