"""What kind of work a method is, which decides how much of it is taken on at once."""

from __future__ import annotations

from enum import StrEnum

_READING_VERBS = ("Get", "List", "Search", "Find")
# A call of these lasts as long as its client likes, and costs next to nothing meanwhile.
_WAITING_METHODS = frozenset({"google.longrunning.Operations/WaitOperation"})


class MethodClass(StrEnum):
    """Reads are preferred to writes; streams only wait, and are counted apart."""

    READ = "read"
    WRITE = "write"
    STREAM = "stream"


def method_class(name: str, *, streams: bool) -> MethodClass:
    """The class of `package.Service/Method`; `streams` where either side streams.

    Methods are named as the API Improvement Proposals have it (AIP-130), so the verb says enough.
    """
    if streams or name in _WAITING_METHODS:
        return MethodClass.STREAM
    if name.partition("/")[2].startswith(_READING_VERBS):
        return MethodClass.READ
    return MethodClass.WRITE
