"""Digests of several strings as one."""

from __future__ import annotations

import hashlib


def digest_of(*parts: str) -> bytes:
    """SHA-256 of the parts. Lengths go into it, so that no two sequences share an encoding."""
    digest = hashlib.sha256()
    for part in parts:
        encoded = part.encode()
        digest.update(f"{len(encoded)}:".encode() + encoded)
    return digest.digest()
