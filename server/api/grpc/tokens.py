"""Encrypts and authenticates the strings that clients hand back.

Page tokens, stream cursors and consistency tokens hold positions of counters that all projects
share. A client that could read them would learn how much the others write; one that could make them
up could ask for places that no answer led to.

A token is encrypted with AES-SIV (RFC 5297), which needs no nonce: equal values give equal tokens,
and no number of tokens wears the key out. It is bound to its kind, its project, and the question
that it continues, none of which it holds.
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
    PAGE = b"page/1"


@dataclass(frozen=True, slots=True)
class ProjectTokens:
    """Makes and reads the tokens of one project."""

    cipher: AESSIV
    project_id: str

    def seal(self, kind: TokenKind, content: bytes, question: bytes = b"") -> str:
        """Returns the token that holds `content` and continues `question`."""
        sealed = self.cipher.encrypt(content, self._bound(kind, question))
        return base64.urlsafe_b64encode(sealed).decode().rstrip("=")

    def open(self, kind: TokenKind, token: str, question: bytes = b"") -> bytes:
        """Returns what the token holds.

        Raises:
            UnreadableToken: it is altered, made up, or was made for something else.
        """
        try:
            sealed = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
            # The decoder skips what is not base64, and bits after the last byte.
            if base64.urlsafe_b64encode(sealed).decode().rstrip("=") != token:
                raise UnreadableToken
            return self.cipher.decrypt(sealed, self._bound(kind, question))
        except (InvalidTag, ValueError) as error:
            raise UnreadableToken from error

    def _bound(self, kind: TokenKind, question: bytes) -> list[bytes]:
        return [kind.value, self.project_id.encode(), question]


class Tokens:
    """Makes and reads tokens with the key of the store, which all servers share."""

    def __init__(self, load_key: Callable[[], Awaitable[bytes]]) -> None:
        """`load_key` is called when a token is first needed, and again if it failed."""
        self._load_key = load_key
        self._cipher: AESSIV | None = None

    async def of_project(self, project_id: str) -> ProjectTokens:
        """Returns the tokens of a project.

        To be called before anything is done for a call: without the key its answer cannot be made.

        Raises:
            StoreUnavailable: the key is not known yet, and the store cannot be reached.
        """
        if self._cipher is None:
            self._cipher = AESSIV(await self._load_key())
        return ProjectTokens(self._cipher, project_id)
