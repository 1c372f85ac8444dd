"""What one call did, as it is counted for its project."""

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
class Tally:
    """Collects while a call runs; whoever began it files it under a project at the end.

    Tasks that a call starts share its tally.
    """

    stages: list[tuple[str, float]] = field(default_factory=list)
    model_calls: list[ModelCall] = field(default_factory=list)
    tokens: list[TokenUse] = field(default_factory=list)
    arms: list[tuple[str, bool]] = field(default_factory=list)
    added: int = 0
    updated: int = 0
    deleted: int = 0
    restored: int = 0
    cache_hits: int = 0
    cache_misses: int = 0

    def join(self, shared: Tally) -> None:
        """Counts model calls that several calls made together for each of them."""
        self.model_calls += shared.model_calls
        self.tokens += shared.tokens


_current: ContextVar[Tally | None] = ContextVar("tally", default=None)


def current_tally() -> Tally | None:
    """The tally of the call that this task works for, if it is counted."""
    return _current.get()


def begin_tally() -> Tally:
    """A new tally, for the current task and the tasks that it starts from now on."""
    tally = Tally()
    _current.set(tally)
    return tally


@contextmanager
def tallied() -> Iterator[Tally]:
    """A tally for the block."""
    token = _current.set(tally := Tally())
    try:
        yield tally
    finally:
        _current.reset(token)
