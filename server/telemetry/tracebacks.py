"""Exceptions as they are logged: where they arose and what they are, not what they quote."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from typing import TextIO

from structlog.typing import ExcInfo

WITHHELD = "(message withheld: MEMOIR_LOG_CONTENT)"

# Their messages tell of the program or the network; those of all others can quote what was said: a
# value that did not parse, a row that broke a constraint, a parameter of a statement.
_ABOUT_THE_PROGRAM = (AttributeError, ImportError, NameError, OSError)


def private_traceback(exc_info: ExcInfo) -> str:
    """The traceback with causes and members of groups, without messages that can quote a text."""
    return "".join(_lines(exc_info[1], frozenset())).rstrip("\n")


def write_private_traceback(stream: TextIO, exc_info: ExcInfo) -> None:
    """The same for structlog's console."""
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
