"""Spans around the steps of a use case."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry import trace
from opentelemetry.trace import Span, Status, StatusCode
from opentelemetry.util.types import AttributeValue

CORRELATION_ATTRIBUTE = "memoir.correlation_id"
_TRACER_NAME = "memoir"


@contextmanager
def span(name: str, /, **attributes: AttributeValue) -> Iterator[Span]:
    """Runs its block within a span of that name; costs next to nothing with tracing off.

    A block that raises or is cancelled makes the span an error and names the type of the exception,
    but not its text, which may quote a conversation.
    """
    tracer = trace.get_tracer(_TRACER_NAME)
    with tracer.start_as_current_span(
        name, attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            current.set_attribute("error.type", type(error).__qualname__)
            current.set_status(Status(StatusCode.ERROR))
            raise
