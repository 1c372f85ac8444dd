"""What an add left out, as its answer says it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class NoticeReason(StrEnum):
    """Why something was left out. The values of `memoir.v1.NoticeReason`, without its prefix."""

    OPERATIONS_LIMIT = "OPERATIONS_LIMIT"
    DELETIONS_LIMIT = "DELETIONS_LIMIT"
    FORGET_UNMATCHED = "FORGET_UNMATCHED"
    NOT_OWN_TEXT = "NOT_OWN_TEXT"
    FILTERED = "FILTERED"
    NO_EVIDENCE = "NO_EVIDENCE"
    NOT_PERMITTED = "NOT_PERMITTED"
    IMMUTABLE = "IMMUTABLE"


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that was left out, and why. `text` is an English sentence for people."""

    reason: NoticeReason
    text: str


def counted(count: int, one: str, many: str) -> str:
    """The number with the noun that fits it, such as `1 fact` or `3 facts`."""
    return f"{count} {one if count == 1 else many}"
