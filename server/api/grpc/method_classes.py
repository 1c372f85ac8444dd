"""The classes into which admission divides calls."""

from __future__ import annotations

from enum import StrEnum

_READING_VERBS = ("Get", "List", "Search", "Find")
# Methods whose calls last as long as clients want, at almost no cost.
_WAITING_METHODS = frozenset({"google.longrunning.Operations/WaitOperation"})


class MethodClass(StrEnum):
    """The class of a method. Reads precede writes; streams only wait and are counted separately.

    A write whose request is large is admitted as LARGE: it takes many times as long as others.
    """

    READ = "read"
    WRITE = "write"
    LARGE = "large"
    STREAM = "stream"


def method_class(name: str, *, streams: bool) -> MethodClass:
    """Returns the class of `package.Service/Method`; `streams` is whether either side streams.

    Methods are named as in the API Improvement Proposals (AIP-130), so the verb is sufficient.
    """
    if streams or name in _WAITING_METHODS:
        return MethodClass.STREAM
    if name.partition("/")[2].startswith(_READING_VERBS):
        return MethodClass.READ
    return MethodClass.WRITE
