"""Output to the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import NoReturn, Protocol

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# Wide without a terminal, so that programs that read a table get untruncated cells.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 400)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class ConsoleProgress:
    """Prints each step to standard error, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def __call__(self, text: str) -> None:
        """Implements `server.embedded.Progress`."""
        elapsed = time.monotonic() - self._start
        err.print(f"[dim]{elapsed:6.1f} s[/dim]  {escape(text)}")


def progress_bar() -> Progress:
    """Returns a progress bar on standard error."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )


class Report(Protocol):
    """Takes the progress of a command."""

    def __call__(self, done: int, total: int | None = None, /) -> None:
        """Shows how much is done, and of how much if that is known."""
        ...


@contextmanager
def progress_of(what: str) -> Iterator[Report]:
    """Shows a progress bar during the block, and yields the function that advances it."""
    with progress_bar() as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total=None: bar.update(task, completed=done, total=total)


def shown_time(time: datetime | None) -> str:
    """Returns a time, to the second, for the cell of a table."""
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def fail(message: str, status: int = 1) -> NoReturn:
    """Ends the program with an error message.

    Raises:
        SystemExit: always.
    """
    err.print(f"[bold red]memoir:[/bold red] {escape(message)}")
    sys.exit(status)
