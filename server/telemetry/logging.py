"""Structured logs: one line an event, for machines (JSON) or for people (console)."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any, Literal, TextIO, TypeAlias

import structlog
from opentelemetry import trace
from structlog.typing import Processor

from server.telemetry.redaction import redact

LogFormat: TypeAlias = Literal["json", "console"]


def configure_logging(
    format: LogFormat,  # noqa: A002 - what it is called everywhere else
    level: str = "INFO",
    stream: TextIO | None = None,
) -> None:
    """Sends everything that is logged, also by libraries, to `stream` (standard error).

    Every line carries its time (ISO 8601, UTC), level and logger, the call's correlation id and the
    current span's trace id. May be called again.

    Raises:
        ValueError: there is no such level.
    """
    target = stream if stream is not None else sys.stderr
    shared = _shared_processors()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_renderers(format, target),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.captureWarnings(True)


def add_trace_ids(
    _logger: object, _name: str, event: MutableMapping[str, Any]
) -> Mapping[str, Any]:
    """A structlog processor: the ids of the current span, where there is one."""
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event.setdefault("trace_id", trace.format_trace_id(span.trace_id))
        event.setdefault("span_id", trace.format_span_id(span.span_id))
    return event


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_trace_ids,
        redact,
    ]


def _renderers(format: LogFormat, target: TextIO) -> list[Processor]:  # noqa: A002 - as above
    if format == "json":
        # Plain tracebacks: the structured ones hold local variables, which hold memories and keys.
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
    ]
