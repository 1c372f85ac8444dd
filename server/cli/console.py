"""Talking to the person at the terminal."""

from __future__ import annotations

import sys
import time
from typing import NoReturn

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

# Wide where no terminal has a width: a program that reads a table needs its cells whole.
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 400)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class ConsoleProgress:
    """Says on standard error what begins, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def step(self, text: str) -> None:
        """Implements `server.embedded.Progress`."""
        elapsed = time.monotonic() - self._start
        err.print(f"[dim]{elapsed:6.1f} s[/dim]  {escape(text)}")


def progress_bar() -> Progress:
    """A bar on standard error for long work."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=err,
    )


def fail(message: str, status: int = 1) -> NoReturn:
    """Ends the program with a message for the person.

    Raises:
        SystemExit: always.
    """
    err.print(f"[bold red]memoir:[/bold red] {escape(message)}")
    sys.exit(status)
