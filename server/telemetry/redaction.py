"""Keeps secrets, and texts of conversations, out of logs."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from functools import lru_cache
from typing import Any, TextIO

from structlog.typing import ExcInfo

REDACTED = "[redacted]"
_SECRET_KEY = re.compile(
    r"(^|[_.-])(authorization|api[_-]?key|password|passwd|secret|dsn|credentials?|cookie)s?($|[_.-])",
    re.IGNORECASE,
)
_MAX_DEPTH = 6
_PLAIN = (str, int, float)

WITHHELD = "(message withheld: MEMOIR_LOG_CONTENT)"

# Their messages are about the program or the network. Other messages can quote a conversation: a
# value that did not parse, a row that broke a constraint, a parameter of a statement.
_ABOUT_THE_PROGRAM = (AttributeError, ImportError, NameError, OSError)


def redact(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Hides the values of keys that name secrets, also nested ones (a structlog processor)."""
    for key, value in event.items():
        if not isinstance(value, _PLAIN) or _names_secret(key):
            event[key] = _redacted(key, value, _MAX_DEPTH)
    return event


def _redacted(key: str, value: object, levels: int) -> object:
    if _names_secret(key):
        return REDACTED
    if isinstance(value, _PLAIN) or not levels:
        return value
    if isinstance(value, Mapping):
        texts = {str(inner): item for inner, item in value.items()}
        return {inner: _redacted(inner, item, levels - 1) for inner, item in texts.items()}
    if isinstance(value, list | tuple):
        return [_redacted("", item, levels - 1) for item in value]
    return value


@lru_cache(maxsize=1024)
def _names_secret(key: str) -> bool:
    return _SECRET_KEY.search(key) is not None


def private_traceback(exc_info: ExcInfo) -> str:
    """Formats a traceback with causes and group members, without messages that may quote texts."""
    return "".join(_lines(exc_info[1], frozenset())).rstrip("\n")


def write_private_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """Writes the same traceback to structlog's console."""
    stream.write("\n" + private_traceback(exc_info))


def _lines(error: BaseException, seen: frozenset[int]) -> Iterator[str]:
    if id(error) in seen:
        return
    seen |= {id(error)}
    if error.__cause__ is not None:
        yield from _lines(error.__cause__, seen)
        yield "\nwhich caused:\n\n"
    elif error.__context__ is not None and not error.__suppress_context__:
        yield from _lines(error.__context__, seen)
        yield "\nwhile that was handled:\n\n"
    yield "Traceback (most recent call last):\n"
    yield from traceback.format_tb(error.__traceback__)
    kind = type(error)
    message = str(error) if isinstance(error, _ABOUT_THE_PROGRAM) else WITHHELD
    yield f"{kind.__module__}.{kind.__qualname__}: {message}\n"
    if isinstance(error, BaseExceptionGroup):
        for member in error.exceptions:
            yield "\nof which one is:\n\n"
            yield from _lines(member, seen)
