"""Embeds the texts of concurrent calls in shared requests.

A request costs about as much for one text as for many, in processor time and in the provider's
quota of requests. So while a request is running, texts are collected for a few milliseconds, until
there are enough of them, or until no request is running any more.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import Context
from dataclasses import dataclass, field
from typing import Final

import structlog
from opentelemetry import trace
from opentelemetry.trace import Span, use_span

from server.core.errors import DeadlineExceeded, MemoirError
from server.core.request_context import RequestContext, current_request, enter_request
from server.core.values import Vector
from server.models.gemini.faults import is_bad_input
from server.models.ports import EmbeddingPurpose
from server.telemetry.metrics import EMBEDDING_BATCH_TEXTS, EMBEDDING_BATCH_WAIT_SECONDS
from server.telemetry.spans import linked_span
from server.telemetry.tally import Tally, begin_tally, current_tally

MAX_TEXTS = 100
"""The maximum number of texts in one request to the API."""

WINDOWS: Final[Mapping[EmbeddingPurpose, float]] = {
    EmbeddingPurpose.DOCUMENT: 0.01,
    EmbeddingPurpose.QUERY: 0.005,
}
"""For how many seconds texts are collected. A search takes little longer than its embedding."""

_MAX_HEADER_LENGTH = 4096

Send = Callable[[Sequence[str], EmbeddingPurpose], Awaitable[list[Vector]]]


@dataclass(frozen=True, slots=True)
class _Share:
    """The texts of one call in a batch, and the future of their vectors."""

    texts: Sequence[str]
    request: RequestContext
    vectors: asyncio.Future[list[Vector]]
    span: Span
    tally: Tally | None


@dataclass(slots=True)
class _Batch:
    """The texts of one request that is being collected or sent."""

    purpose: EmbeddingPurpose
    opened: float
    shares: list[_Share] = field(default_factory=list)
    size: int = 0
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None

    def awaited(self) -> list[_Share]:
        """Returns the shares whose calls still wait."""
        return [share for share in self.shares if not share.vectors.done()]


class EmbeddingBatcher:
    """Collects the texts of a purpose, up to 100, and embeds them by one `send`.

    They are sent at once if no request is running, and otherwise when none is running any more, at
    the latest after the seconds in `windows`.

    A batch has its own context, with the correlation ids of all its calls and the latest of their
    deadlines. A call that ends early does not affect the others; when all have ended, the request
    is cancelled.
    """

    def __init__(self, send: Send, windows: Mapping[EmbeddingPurpose, float] = WINDOWS) -> None:
        self._send = send
        self._windows = windows
        self._open: dict[EmbeddingPurpose, _Batch] = {}
        self._running: set[asyncio.Task[None]] = set()

    async def embed(self, texts: Sequence[str], purpose: EmbeddingPurpose) -> list[Vector]:
        """Returns one vector for each text, in order.

        Raises:
            DeadlineExceeded: this call's time is up.
            MemoirError: the error of `send`.
        """
        remaining = current_request().remaining()
        places = list(self._place(texts, purpose))
        try:
            async with asyncio.timeout(remaining):
                parts = await asyncio.gather(*(share.vectors for _, share in places))
        except TimeoutError:
            raise DeadlineExceeded from None
        finally:
            for batch, share in places:
                share.vectors.cancel()
                if batch.task is not None and not batch.awaited():
                    batch.task.cancel()
        return [vector for part in parts for vector in part]

    def _place(
        self, texts: Sequence[str], purpose: EmbeddingPurpose
    ) -> Iterable[tuple[_Batch, _Share]]:
        loop = asyncio.get_running_loop()
        while texts:
            batch = self._open.get(purpose)
            if batch is None:
                batch = self._open[purpose] = _Batch(purpose, loop.time())
                wait = self._windows[purpose] if self._running else 0.0
                batch.timer = loop.call_later(wait, self._close, batch)
            free = MAX_TEXTS - batch.size
            fitting, texts = texts[:free], texts[free:]
            share = _Share(
                fitting,
                current_request(),
                loop.create_future(),
                trace.get_current_span(),
                current_tally(),
            )
            batch.shares.append(share)
            batch.size += len(fitting)
            if batch.size == MAX_TEXTS:
                self._close(batch)
            yield batch, share

    def _close(self, batch: _Batch) -> None:
        """Closes the batch for further texts and sends it."""
        del self._open[batch.purpose]
        if batch.timer is not None:
            batch.timer.cancel()
        if batch.awaited():
            loop = asyncio.get_running_loop()
            EMBEDDING_BATCH_WAIT_SECONDS.observe(loop.time() - batch.opened)
            # An empty context, so that the batch does not inherit that of the call that opened it.
            batch.task = loop.create_task(self._run(batch), context=Context())
            self._running.add(batch.task)
            batch.task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        """Sends what was collected if no request is running any more."""
        self._running.discard(task)
        if not self._running:
            for batch in list(self._open.values()):
                self._close(batch)

    async def _run(self, batch: _Batch) -> None:
        shares = batch.awaited()
        request = _common([share.request for share in shares])
        enter_request(request)
        structlog.contextvars.bind_contextvars(correlation_id=request.correlation_id)
        tally = begin_tally()
        try:
            with _traced(shares):
                await self._embed_together(shares, batch.purpose)
        except asyncio.CancelledError:
            _fail(shares, DeadlineExceeded())
            raise
        finally:
            _join_all(shares, tally)

    async def _embed_together(self, shares: Sequence[_Share], purpose: EmbeddingPurpose) -> None:
        texts = [text for share in shares for text in share.texts]
        EMBEDDING_BATCH_TEXTS.observe(len(texts))
        try:
            vectors = await self._send(texts, purpose)
        except MemoirError as error:
            if is_bad_input(error) and len(shares) > 1:
                # The text of one call is refused, and the other calls must not fail with it.
                for share in shares:
                    if not share.vectors.done():
                        await self._embed_together([share], purpose)
            else:
                _fail(shares, error)
            return
        except Exception as error:  # noqa: BLE001 - all waiting calls get the error
            _fail(shares, error)
            return
        position = 0
        for share in shares:
            part = vectors[position : position + len(share.texts)]
            position += len(share.texts)
            if not share.vectors.done():
                share.vectors.set_result(part)


@contextmanager
def _traced(shares: Sequence[_Share]) -> Iterator[None]:
    """Traces the batch: for a single call in its trace, else in a trace of its own.

    This trace and those of the calls link to each other.
    """
    if len(shares) == 1:
        with use_span(shares[0].span, record_exception=False, set_status_on_exception=False):
            yield
        return
    causes = [share.request.traceparent for share in shares]
    with linked_span("embedding batch", causes, {"memoir.calls": len(shares)}) as batch:
        if batch.is_recording():
            for share in shares:
                share.span.add_link(batch.get_span_context())
        yield


def _join_all(shares: Sequence[_Share], tally: Tally) -> None:
    """Adds the tally of the batch to the tally of each call, once."""
    for share in {id(share.tally): share for share in shares}.values():
        if share.tally is not None:
            share.tally.join(tally)


def _fail(shares: Sequence[_Share], error: Exception) -> None:
    for share in shares:
        if not share.vectors.done():
            share.vectors.set_exception(error)


def _common(requests: Sequence[RequestContext]) -> RequestContext:
    """Returns a context for work on behalf of all; ids that do not fit are only counted."""
    ids = list(dict.fromkeys(request.correlation_id for request in requests))
    kept, length = 0, 0
    while kept < len(ids) and length + len(ids[kept]) < _MAX_HEADER_LENGTH:
        length += len(ids[kept]) + 1
        kept += 1
    more = [f"+{len(ids) - kept}"] if kept < len(ids) else []
    return RequestContext(
        correlation_id=",".join(ids[:kept] + more),
        deadline=max(request.deadline for request in requests),
        traceparent=requests[0].traceparent if len(requests) == 1 else None,
    )
