"""The time, and ids in the order of time."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import UUID

UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MAX_ORDINAL: Final = (1 << 12) - 1


def new_id(now: datetime, ordinal: int | None = None) -> UUID:
    """Returns a version 7 UUID (RFC 9562, section 5.7): 48 bits of Unix milliseconds, then random.

    Rows created together are adjacent in the indexes; random UUIDs would scatter them. The ids of
    one call differ in `ordinal`, from 0 to MAX_ORDINAL, which replaces the first 12 random bits
    (section 6.2, method 1), so that they have the order of the conversation.
    """
    milliseconds = ((now - UNIX_EPOCH) // timedelta(milliseconds=1)) & ((1 << 48) - 1)
    random_bits = secrets.randbits(74)
    high = random_bits >> 62 if ordinal is None else min(ordinal, MAX_ORDINAL)
    low = random_bits & ((1 << 62) - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)


def microseconds(time: datetime) -> int:
    """Returns the microseconds from 1970 to an instant."""
    return (time - UNIX_EPOCH) // timedelta(microseconds=1)


class Clock:
    """Provides the current time; tests replace it."""

    def now(self) -> datetime:
        """Returns the current time as an aware datetime in UTC."""
        return datetime.now(UTC)
