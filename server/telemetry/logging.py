"""Structured logs: one line an event, for machines (JSON) or for people (console)."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, Literal, TextIO, TypeAlias

import orjson
import structlog
from opentelemetry import trace
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.processors import ExceptionRenderer, format_exc_info
from structlog.typing import Processor

from server.telemetry.redaction import redact
from server.telemetry.stream_logger import StreamLoggers
from server.telemetry.tracebacks import private_traceback, write_private_traceback

LogFormat: TypeAlias = Literal["json", "console"]

# Least levels. Neo4j's driver warns at every retry of every call, where the projector says once
# that the graph is away.
_QUIET_LOGGERS = {"neo4j": logging.ERROR}
_ENCODE = json.JSONEncoder(default=repr).encode
# What is neither text nor number is written as its `repr`, whichever encoder writes it.
_AS_REPR = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_DATETIME


def configure_logging(
    format: LogFormat,  # noqa: A002 - what it is called everywhere else
    level: str = "INFO",
    stream: TextIO | None = None,
    *,
    with_content: bool = False,
) -> None:
    """Sends everything that is logged, also by libraries, to `stream` (standard error).

    Every line carries its time (ISO 8601, UTC), level and logger, the call's correlation id and the
    current span's trace id. May be called again. The messages of exceptions, which may quote what
    was said, are written only `with_content`.

    Raises:
        ValueError: there is no such level.
    """
    target = stream if stream is not None else sys.stderr
    renderers = _renderers(format, target, with_content=with_content)
    _configure_libraries(level, target, renderers)
    # The server's own events bypass `logging`, whose records cost several times the line itself.
    structlog.configure(
        processors=[*_shared_processors(), *renderers],
        logger_factory=StreamLoggers(target),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )


def add_trace_ids(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """A structlog processor: the ids of the current span, where there is one."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event.setdefault("trace_id", trace.format_trace_id(span.trace_id))
        event.setdefault("span_id", trace.format_span_id(span.span_id))
    return event


def add_time(_logger: object, _name: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    """A structlog processor: the time of the event, ISO 8601 in UTC."""
    event["timestamp"] = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    return event


def render_json(_logger: object, _name: str, event: Mapping[str, Any]) -> str:
    """A structlog processor: the event as one line of JSON."""
    try:
        return orjson.dumps(event, default=repr, option=_AS_REPR).decode()
    except orjson.JSONEncodeError:
        # Lone surrogates and integers of more than 64 bits; the slower encoder takes them.
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
        # Plain tracebacks: the structured ones hold local variables, which hold memories and keys.
        with_messages, without = format_exc_info, ExceptionRenderer(private_traceback)
        return [with_messages if with_content else without, render_json]
    formatter = plain_traceback if with_content else write_private_traceback
    return [ConsoleRenderer(colors=target.isatty(), exception_formatter=formatter)]
