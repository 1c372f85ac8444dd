"""The operations that a conversation comes to, in the light of what is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from server.adapters.offline.changes import Effect, effect, repeats
from server.adapters.offline.facts import Fact
from server.domain.inference import ProposedOperation


@dataclass(frozen=True, slots=True)
class Known:
    """A candidate: its number, what it says, and whether it may change."""

    number: int
    fact: Fact
    immutable: bool


@dataclass(frozen=True, slots=True)
class _Entry:
    """A fact that is known or new. `operation` is what makes it so, None for an untouched one.

    `fact` is None for what is forgotten.
    """

    fact: Fact | None
    operation: ProposedOperation | None = None
    target: int | None = None
    immutable: bool = False


class Ledger:
    """Takes facts in the order in which they were said; later ones correct earlier ones."""

    def __init__(self, known: Iterable[Known]) -> None:
        self._entries = [_Entry(k.fact, None, k.number, k.immutable) for k in known]
        self._touched = 0

    def __len__(self) -> int:
        """How many operations there are."""
        return self._touched

    def record(self, fact: Fact, addition: ProposedOperation) -> None:
        """Takes in a fact: `addition` is the operation that adds it, if it is new."""
        entries = [entry for entry in self._entries if entry.fact is not None]
        if any(entry.fact is not None and repeats(fact, entry.fact) for entry in entries):
            return
        result, place = effect(fact, [None if e.immutable else e.fact for e in entries])
        old = entries[place] if place is not None else None
        if old is None:
            self._add(_Entry(fact, addition))
            return
        self._remove(old)
        if old.target is None:
            self._add(_Entry(fact, addition))
        elif result is Effect.END:
            deletion = replace(
                addition, action="DELETE", text="", target=old.target, categories=(), entities=(),
                relations=(),
            )  # fmt: skip
            self._add(_Entry(None, deletion, old.target))
        else:
            update = replace(addition, action="UPDATE", target=old.target)
            self._add(_Entry(fact, update, old.target))

    def operations(self) -> list[ProposedOperation]:
        """One operation for every fact that is new, changed or forgotten."""
        return [entry.operation for entry in self._entries if entry.operation is not None]

    def _add(self, entry: _Entry) -> None:
        self._entries.append(entry)
        self._touched += 1

    def _remove(self, entry: _Entry) -> None:
        self._entries.remove(entry)
        self._touched -= entry.operation is not None
