"""Which traces are kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanKind, TraceState
from opentelemetry.util.types import Attributes


class FollowLinks(Sampler):
    """Keeps a trace that links to one that is kept, so that a request is found with all its work.

    What begins without links is left to the sampler that the environment names
    (OTEL_TRACES_SAMPLER).
    """

    def __init__(self, root: Sampler) -> None:
        self._root = root

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See the SDK."""
        chosen = ALWAYS_ON if _is_kept(parent_context, links) else self._root
        return chosen.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """See the SDK."""
        return f"FollowLinks{{{self._root.get_description()}}}"


class AtMost(Sampler):
    """Keeps every trace that begins as long as there are few: `rate` a second, as many at once.

    So whoever tries something sees it, and what tracing costs does not grow with the load. It is a
    token bucket, which does not look at the ids: other services' samplers choose other traces.
    """

    def __init__(self, rate: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._rate = rate
        self._monotonic = monotonic
        self._left = rate
        self._filled = monotonic()

    def should_sample(
        self,
        parent_context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind | None = None,
        attributes: Attributes = None,
        links: Sequence[Link] | None = None,
        trace_state: TraceState | None = None,
    ) -> SamplingResult:
        """See the SDK."""
        chosen = ALWAYS_ON if self._take() else ALWAYS_OFF
        return chosen.should_sample(
            parent_context, trace_id, name, kind, attributes, links, trace_state
        )

    def get_description(self) -> str:
        """See the SDK."""
        return f"AtMost{{{self._rate:g}/s}}"

    def _take(self) -> bool:
        now = self._monotonic()
        self._left = min(self._rate, self._left + (now - self._filled) * self._rate)
        self._filled = now
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True


def _is_kept(parent_context: Context | None, links: Sequence[Link] | None) -> bool:
    """Whether that is decided: for a step of a call that is kept, and for what links to one."""
    parent = trace.get_current_span(parent_context).get_span_context()
    if parent.is_valid:
        return parent.trace_flags.sampled and not parent.is_remote
    return any(link.context.trace_flags.sampled for link in links or ())
