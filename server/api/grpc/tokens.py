"""Encrypts and authenticates page tokens, stream cursors and consistency tokens.

They contain positions of counters that all projects share. A client that could read them would see
how much other projects write, and one that could forge them could request arbitrary positions.

A token is encrypted with AES-SIV (RFC 5297), which needs no nonce: equal values give equal tokens,
and the number of tokens of a key is not limited. It is bound to its kind, its project, and the
request that it continues, but contains none of them.
"""

from __future__ import annotations

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

KEY_BYTES: Final = 64
"""The length of the key: 256 bits to encrypt, and 256 to authenticate."""


class UnreadableToken(Exception):
    """The token was not made for this purpose, by this store."""


class TokenKind(Enum):
    """The kinds of tokens. If the content of a kind changes, its value must change too."""

    CONSISTENCY = b"consistency/1"
    STREAM = b"stream/1"
    PAGE = b"page/2"


@dataclass(frozen=True, slots=True)
class ProjectTokens:
    """Creates and reads the tokens of one project."""

    cipher: AESSIV
    project_id: str

    def seal(self, kind: TokenKind, content: bytes, request: bytes = b"") -> str:
        """Returns a token with `content`, which continues `request`."""
        sealed = self.cipher.encrypt(content, self._bound(kind, request))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, kind: TokenKind, token: str, request: bytes = b"") -> bytes:
        """Returns the content of a token.

        Raises:
            UnreadableToken: the token was altered, forged, or made for another purpose.
        """
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            # The decoder ignores invalid characters, and bits after the last byte.
            if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token:
                raise UnreadableToken
            return self.cipher.decrypt(sealed, self._bound(kind, request))
        except (InvalidTag, ValueError) as error:
            raise UnreadableToken from error

    def _bound(self, kind: TokenKind, request: bytes) -> list[bytes]:
        return [kind.value, self.project_id.encode(), request]


class Tokens:
    """Provides the tokens of projects, with the key of the store, which all servers share."""

    def __init__(self, load_key: Callable[[], Awaitable[bytes]]) -> None:
        """`load_key` is called when a token is first needed, and again if it failed."""
        self._load_key = load_key
        self._cipher: AESSIV | None = None

    async def of_project(self, project_id: str) -> ProjectTokens:
        """Returns the tokens of a project.

        Must be called before a call does anything: without the key it cannot return a response.

        Raises:
            StoreUnavailable: the key is not known yet, and the store cannot be reached.
        """
        if self._cipher is None:
            self._cipher = AESSIV(await self._load_key())
        return ProjectTokens(self._cipher, project_id)
