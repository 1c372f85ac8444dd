"""Spans of requests to models, named and described as other tools expect them.

https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-spans/
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from opentelemetry.trace import Span, SpanKind

from server.telemetry.spans import span

EMBEDDINGS = "embeddings"
GENERATE_CONTENT = "generate_content"
_PROVIDER = "gcp.gemini"


@contextmanager
def model_span(operation: str, model_name: str) -> Iterator[Span]:
    """A span around a request to a model with all its attempts, if the current call is traced."""
    attributes = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _PROVIDER,
        "gen_ai.request.model": model_name,
    }
    with span(f"{operation} {model_name}", attributes, SpanKind.CLIENT) as current:
        yield current
