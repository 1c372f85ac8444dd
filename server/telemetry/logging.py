"""Structured logs: one line for each event, as JSON or for the console."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, Literal, TextIO, TypeAlias

import orjson
import structlog
from opentelemetry import trace
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, format_exc_info
from structlog.typing import Processor

from server.telemetry.redaction import private_traceback, redact, write_private_traceback
from server.telemetry.spans import span_ids


class StreamLogger:
    """Writes lines to a stream, whatever their level.

    A line that cannot be written, because the disk is full or the pipe is closed, is lost, so that
    no call fails because of it.
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
    """A structlog logger factory: one logger for each name, all on one stream.

    Loggers without a name get the name of the module that creates them. `level` is the lowest level
    that is written.
    """

    def __init__(self, stream: TextIO, level: int = logging.NOTSET) -> None:
        self._stream = stream
        self.level = level
        self._loggers: dict[str, StreamLogger] = {}
        self._named_after_module = structlog.stdlib.LoggerFactory(["server.telemetry"])

    def __call__(self, *names: str) -> StreamLogger:
        name = names[0] if names else self._named_after_module().name
        logger = self._loggers.get(name)
        if logger is None:
            logger = self._loggers[name] = StreamLogger(name, self._stream)
        return logger


LogFormat: TypeAlias = Literal["json", "console"]

# Lowest levels. Neo4j's driver warns at every retry of every call, while the projector logs once
# that the graph is unavailable.
_QUIET_LOGGERS = {"neo4j": logging.ERROR}
_ENCODE = json.JSONEncoder(default=repr).encode
# Values that are neither text nor numbers are written as their `repr`, by either encoder.
_AS_REPR = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def configure_logging(
    format: LogFormat,  # noqa: A002 - its usual name
    level: str = "INFO",
    stream: TextIO | None = None,
    *,
    with_content: bool = False,
) -> None:
    """Sends all log events, also of libraries, to `stream` (default: standard error).

    Every line has its time (ISO 8601, UTC), level and logger, the call's correlation id and the
    current span's trace id. The function can be called again. The messages of exceptions, which may
    quote a conversation, are written only `with_content`.

    Raises:
        ValueError: there is no such level.
    """
    target = stream if stream is not None else sys.stderr
    renderers = _renderers(format, target, with_content=with_content)
    _configure_libraries(level, target, renderers)
    # The server's own events bypass `logging`, because its records cost several times the line.
    structlog.configure(
        processors=[*_shared_processors(), *renderers],
        logger_factory=StreamLoggers(target, logging.getLevelNamesMapping()[level.upper()]),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def add_trace_ids(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """Adds the ids of the current span, if there is one (a structlog processor)."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        for name, value in span_ids(span).items():
            event.setdefault(name, value)
    return event


def add_time(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """Adds the time of the event, ISO 8601 in UTC (a structlog processor)."""
    event["timestamp"] = timestamp()
    return event


def timestamp() -> str:
    """Returns the current time, ISO 8601 in UTC."""
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


def render_json(_logger: object, _name: str, event: Mapping[str, Any]) -> str:
    """Formats the event as one line of JSON (a structlog processor)."""
    try:
        return orjson.dumps(event, default=repr, option=_AS_REPR).decode()
    except orjson.JSONEncodeError:
        # The slower encoder accepts lone surrogates and integers of more than 64 bits.
        return _ENCODE(event)


def _configure_libraries(level: str, target: TextIO, renderers: list[Processor]) -> None:
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_shared_processors(),
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
        )
    )
    root = logging.getLogger()
    root.setLevel(level.upper())
    root.handlers[:] = [handler]
    for name, least in _QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(least)
    logging.captureWarnings(True)


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        add_time,
        add_trace_ids,
        redact,
    ]


def _renderers(
    format: LogFormat,  # noqa: A002 - as above
    target: TextIO,
    *,
    with_content: bool,
) -> list[Processor]:
    if format == "json":
        # Plain tracebacks, because structured ones include local variables with memories and keys.
        with_messages, without = format_exc_info, ExceptionRenderer(private_traceback)
        return [with_messages if with_content else without, render_json]
    formatter = plain_traceback if with_content else write_private_traceback
    return [ConsoleRenderer(colors=target.isatty(), exception_formatter=formatter)]


_LEVELS: Final = {"debug": logging.DEBUG, "info": logging.INFO}


class FrequentEvent:
    """Logs one kind of event as structlog would as JSON, in a fifth of the processor time.

    Nothing is redacted: the facts must be plain values without secrets. The caller adds the ids of
    the current span. If the format is not JSON, structlog logs the event.
    """

    def __init__(self, logger: str, event: str) -> None:
        """Takes the names of the logger and of the event."""
        self._structlog: structlog.typing.FilteringBoundLogger = structlog.get_logger(logger)
        self._logger = logger
        self._event = event

    def log(self, level: str, facts: dict[str, object]) -> None:
        """Logs the event with these facts at `debug` or `info`."""
        configuration = structlog.get_config()
        loggers = configuration["logger_factory"]
        is_json = configuration["processors"][-1] is render_json
        if not is_json or not isinstance(loggers, StreamLoggers):
            self._structlog.log(_LEVELS[level], self._event, **facts)
        elif _LEVELS[level] >= loggers.level:
            line = structlog.contextvars.get_contextvars() | facts
            line["event"] = self._event
            line["level"] = level
            line["logger"] = self._logger
            line["timestamp"] = timestamp()
            loggers(self._logger).info(render_json(None, "", line))
