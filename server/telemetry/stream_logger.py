"""What structlog writes its lines with."""

from __future__ import annotations

from contextlib import suppress
from typing import TextIO

import structlog


class StreamLogger:
    """Writes lines to a stream, whatever their level.

    A line that cannot be written, because the disk is full or nobody reads the pipe any more, is
    lost: no call may fail for it.
    """

    def __init__(self, name: str, stream: TextIO) -> None:
        self.name = name
        self._stream = stream

    def info(self, line: str) -> None:
        """Writes one line."""
        with suppress(OSError, ValueError):
            self._stream.write(line + "\n")
            self._stream.flush()

    notset = debug = warning = error = critical = info


class StreamLoggers:
    """A structlog logger factory: one logger a name, all of them on one stream.

    Loggers without a name are called after the module that asks for them.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._loggers: dict[str, StreamLogger] = {}
        self._named_after_module = structlog.stdlib.LoggerFactory(["server.telemetry"])

    def __call__(self, *names: str) -> StreamLogger:
        name = names[0] if names else self._named_after_module().name
        logger = self._loggers.get(name)
        if logger is None:
            logger = self._loggers[name] = StreamLogger(name, self._stream)
        return logger
