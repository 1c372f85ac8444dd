"""Keys as the graph stores them."""

from __future__ import annotations

import hashlib

from server.domain.digests import digest_of

# An entry of a Neo4j range index holds about 8,000 bytes, here: project, space and key.
MAX_KEY_BYTES = 2048
_SURELY_SHORT = MAX_KEY_BYTES // 4
_KEPT_BYTES = 1024
_SLOT_BYTES = 2


def is_storable(key: str) -> bool:
    """Whether an index takes an entity's key as it is."""
    return len(key) <= _SURELY_SHORT or len(key.encode()) <= MAX_KEY_BYTES


def index_key(key: str) -> str:
    """An entity's key as the graph stores it: the key itself, or what stands for a long one.

    Folding can lengthen a name 18 times (U+FDFA), so a name of legal length can have a key that no
    index takes. The start of such a key is kept for the order and the rest is digested; a line
    break, which no key contains, sets it apart from keys that only look like it.
    """
    if is_storable(key):
        return key
    encoded = key.encode()
    start = encoded[:_KEPT_BYTES].decode(errors="ignore")
    return f"{start}\n{hashlib.sha256(encoded).hexdigest()}"


def space_slot(project_id: str, space: str) -> int:
    """The number, of 65,536, of the lock that guards a space's entities.

    Spaces that share a number merely wait for each other.
    """
    name = f"{len(project_id)}:{project_id}{space}".encode()
    return int.from_bytes(hashlib.sha256(name).digest()[:_SLOT_BYTES], "big")


def slot_key(project_id: str, space: str, source: str, relation: str) -> str:
    """What stands, in 32 hexadecimal digits, for a subject and a functional relation."""
    return digest_of(project_id, space, source, relation).hex()[:32]
