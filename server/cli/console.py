"""Talking to the person at the terminal."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.markup import escape

out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)


class ConsoleProgress:
    """Says on standard error what begins, with the seconds since the start."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def step(self, text: str) -> None:
        """Implements `server.embedded.Progress`."""
        elapsed = time.monotonic() - self._start
        err.print(f"[dim]{elapsed:6.1f} s[/dim]  {escape(text)}")


def fail(message: str, status: int = 1) -> None:
    """Ends the program with a message for the person.

    Raises:
        SystemExit: always.
    """
    err.print(f"[bold red]memoir:[/bold red] {escape(message)}")
    sys.exit(status)
