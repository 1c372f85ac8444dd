"""Signals to stop, and the garbage collector of a server."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from typing import Final

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
EXIT_STATUS_OF_SECOND_SIGNAL = 130


class StopSignals:
    """Turns the first SIGTERM or SIGINT into an event; the second ends the process at once.

    Embedded databases end with the process, which is safe because they tolerate being killed.
    """

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    def install(self) -> None:
        """Takes over the signals in the running event loop."""
        loop = asyncio.get_running_loop()
        for number in STOP_SIGNALS:
            loop.add_signal_handler(number, self._on_signal)

    async def wait(self) -> None:
        """Waits until the process is asked to stop."""
        await self._stop.wait()

    def _on_signal(self) -> None:
        if self._stop.is_set():
            os._exit(EXIT_STATUS_OF_SECOND_SIGNAL)
        self._stop.set()


YOUNG_OBJECTS: Final = 10_000
"""How many new objects the garbage collector waits for; Python's default is 700."""


def relax_garbage_collector() -> None:
    """Lets this process collect less often; to be called once it serves.

    Modules, settings and connections live as long as the process, so they are not looked at again.
    A call leaves few cycles behind: what waits for a collection is bounded by `YOUNG_OBJECTS`.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, *gc.get_threshold()[1:])
