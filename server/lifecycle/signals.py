"""Being asked to stop."""

from __future__ import annotations

import asyncio
import os
import signal

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_STATUS_OF_SECOND_SIGNAL = 130


class StopSignals:
    """Turns the first SIGTERM or SIGINT into an event; the second ends the process at once.

    Embedded databases end with the process, which is safe: they are made to be killed.
    """

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    def install(self) -> None:
        """Takes over the signals in the running event loop."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)

    async def wait(self) -> None:
        """Returns once the process was asked to stop."""
        await self._stop.wait()

    def _on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(EXIT_STATUS_OF_SECOND_SIGNAL)
        self._stop.set()
