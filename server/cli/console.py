"""Output to the terminal."""

from __future__ import annotations

import sys
import time
from typing import NoReturn

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

    def step(self, text: str) -> None:
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


def fail(message: str, status: int = 1) -> NoReturn:
    """Ends the program with an error message.

    Raises:
        SystemExit: always.
    """
    err.print(f"[bold red]memoir:[/bold red] {escape(message)}")
    sys.exit(status)
