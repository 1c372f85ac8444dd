"""Records measurements once, for metrics, statistics and traces."""

from __future__ import annotations

import time
from contextlib import AbstractContextManager
from functools import lru_cache
from types import TracebackType

from opentelemetry import trace
from opentelemetry.trace import Span

from server.telemetry import metrics
from server.telemetry.spans import span, span_ids
from server.telemetry.tally import ModelCall, TokenUse, current_tally

# Cached, because looking up the child of a metric costs as much as the measurement itself.
_stage_seconds = lru_cache(maxsize=128)(metrics.STAGE_SECONDS.labels)
_model_seconds = lru_cache(maxsize=256)(metrics.MODEL_SECONDS.labels)
_candidates = lru_cache(maxsize=16)(metrics.SEARCH_CANDIDATES.labels)
_rpc_seconds = lru_cache(maxsize=2048)(metrics.RPC_SECONDS.labels)
_search_arms = lru_cache(maxsize=16)(metrics.SEARCH_ARMS.labels)
_cache_reads = lru_cache(maxsize=2)(metrics.CACHE_READS.labels)
_memory_changes = lru_cache(maxsize=4)(metrics.MEMORY_CHANGES.labels)


def _recording_span() -> Span | None:
    tally = current_tally()
    if tally is not None and not tally.may_be_traced:
        return None
    current = trace.get_current_span()
    return current if current.is_recording() else None


def _exemplar(traced: Span | None) -> dict[str, str] | None:
    """Returns the link from a measurement to its trace."""
    return None if traced is None else span_ids(traced.get_span_context())


def record_rpc(method: str, code: str, seconds: float) -> None:
    """Records the end of a call."""
    _rpc_seconds(method, code).observe(seconds, _exemplar(_recording_span()))


class stage:  # noqa: N801 - reads as the verb of a `with` statement
    """Times its block as a step of the current call, with a span if the call is traced.

    A brief step, in which nothing else is traced, is an event of the current span instead, at a
    quarter of the cost.
    """

    __slots__ = ("_began", "_is_brief", "_name", "_span", "_traced")

    def __init__(self, name: str, *, is_brief: bool = False) -> None:
        self._name = name
        self._is_brief = is_brief
        self._began = 0.0
        self._traced: Span | None = None
        self._span: AbstractContextManager[Span] | None = None

    def __enter__(self) -> None:
        self._traced = _recording_span()
        if self._traced is not None and not self._is_brief:
            self._span = span(self._name)
            self._span.__enter__()
        self._began = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._began
        _stage_seconds(self._name).observe(seconds, _exemplar(self._traced))
        if tally := current_tally():
            tally.stages.append((self._name, seconds))
        if self._span is not None:
            self._span.__exit__(kind, error, traceback)
        elif self._traced is not None:
            self._traced.add_event(self._name, {"memoir.seconds": seconds})


class model_call:  # noqa: N801 - as above
    """Times its block as an attempt at a model. `operation` is its `gen_ai.operation.name`."""

    __slots__ = ("_began", "_model", "_operation")

    def __init__(self, model: str, operation: str) -> None:
        self._model = model
        self._operation = operation
        self._began = 0.0

    def __enter__(self) -> None:
        self._began = time.perf_counter()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        seconds = time.perf_counter() - self._began
        error_type = kind.__name__ if kind else ""
        _model_seconds(self._operation, self._model, error_type).observe(
            seconds, _exemplar(_recording_span())
        )
        if tally := current_tally():
            tally.model_calls.append(ModelCall(self._model, seconds, kind is not None))


def record_tokens(model: str, read: int, written: int) -> None:
    """Records the tokens that a model read and wrote in the current span's request."""
    metrics.MODEL_TOKENS.labels(model, "input").inc(read)
    metrics.MODEL_TOKENS.labels(model, "output").inc(written)
    current = trace.get_current_span()
    current.set_attribute("gen_ai.usage.input_tokens", read)
    current.set_attribute("gen_ai.usage.output_tokens", written)
    if tally := current_tally():
        tally.tokens.append(TokenUse(model, read, written))


def record_search_arm(arm: str, *, ran: bool) -> None:
    """Records that an arm of a search took part or was skipped."""
    _search_arms(arm, "ran" if ran else "skipped").inc()
    if tally := current_tally():
        tally.arms.append((arm, ran))


def record_candidates(arm: str, count: int) -> None:
    """Records how many memories an arm proposed to one search."""
    _candidates(arm).observe(count)


def record_changes(
    *, added: int = 0, updated: int = 0, deleted: int = 0, restored: int = 0
) -> None:
    """Records changed memories, after the commit."""
    kinds = {"added": added, "updated": updated, "deleted": deleted, "restored": restored}
    for kind, count in kinds.items():
        if count:
            _memory_changes(kind).inc(count)
    if tally := current_tally():
        tally.added += added
        tally.updated += updated
        tally.deleted += deleted
        tally.restored += restored


def record_cache_read(*, hit: bool) -> None:
    """Records a read of a cache."""
    _cache_reads("hit" if hit else "miss").inc()
    if tally := current_tally():
        if hit:
            tally.cache_hits += 1
        else:
            tally.cache_misses += 1
