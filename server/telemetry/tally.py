"""The tally of a call: the figures that it collects while it runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelCall:
    """One attempt at a model, in seconds."""

    model: str
    seconds: float
    failed: bool


@dataclass(frozen=True, slots=True)
class TokenUse:
    """Tokens that a model read and wrote."""

    model: str
    read: int
    written: int


@dataclass(slots=True)
class Counts:
    """Memories that changed, and reads of caches."""

    added: int = 0
    updated: int = 0
    deleted: int = 0
    restored: int = 0
    cache_hits: int = 0
    cache_misses: int = 0

    def add_counts(self, other: Counts) -> None:
        """Adds the counts of `other`."""
        self.added += other.added
        self.updated += other.updated
        self.deleted += other.deleted
        self.restored += other.restored
        self.cache_hits += other.cache_hits
        self.cache_misses += other.cache_misses


@dataclass(slots=True)
class Tally(Counts):
    """Collects figures while a call runs; its owner adds it to a project at the end.

    Tasks that a call starts share its tally. `may_be_traced` is false for a call without a span, so
    that its steps need not look for a span.
    """

    stages: list[tuple[str, float]] = field(default_factory=list)
    model_calls: list[ModelCall] = field(default_factory=list)
    tokens: list[TokenUse] = field(default_factory=list)
    arms: list[tuple[str, bool]] = field(default_factory=list)
    may_be_traced: bool = True

    def join(self, shared: Tally) -> None:
        """Adds model calls that several calls share; they count for each of these calls."""
        self.model_calls += shared.model_calls
        self.tokens += shared.tokens


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)


def current_tally() -> Tally | None:
    """Returns the tally of the current task's call, if it has one."""
    return _current.get()


def begin_tally() -> Tally:
    """Starts a new tally for the current task and the tasks that it starts from now on."""
    tally = Tally()
    _current.set(tally)
    return tally


@contextmanager
def tallied() -> Iterator[Tally]:
    """Starts a tally for the block."""
    token = _current.set(tally := Tally())
    try:
        yield tally
    finally:
        _current.reset(token)
