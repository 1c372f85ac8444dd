"""Ids that sort by the time they were made."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from uuid import UUID

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_id(now: datetime) -> UUID:
    """A UUID of version 7 (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then chance.

    Rows made together lie together in the indexes, which random UUIDs would scatter over.
    """
    milliseconds = ((now - UNIX_EPOCH) // timedelta(milliseconds=1)) & ((1 << 48) - 1)
    chance = secrets.randbits(74)
    high = chance >> 62
    low = chance & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
