"""Tokens with a key of the tests."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from server.api.grpc.convert.tokens import KEY_BYTES, ProjectTokens, Tokens
from tests.support.builders import PROJECT


async def load_test_key() -> bytes:
    """Returns the key."""
    return bytes(range(KEY_BYTES))


TOKENS = Tokens(load_test_key)


def tokens_of(project_id: str = PROJECT, key: bytes = bytes(range(KEY_BYTES))) -> ProjectTokens:
    """Returns the tokens of a project."""
    return ProjectTokens(AESSIV(key), project_id)
