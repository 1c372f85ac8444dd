"""Applies new facts, and requests to forget, to the memories of a request.

What a fact ends or replaces is removed, and other facts of the same memory stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from server.memories.add.inference import ProposedOperation
from server.memories.memory import fact_digest
from server.models.offline.effects import Effect
from server.models.offline.facts import Fact
from server.models.offline.forgetting import ForgetRequest
from server.models.offline.reading import without_items
from server.models.offline.verbs import Sense

Describe = Callable[[ProposedOperation, str, Sequence[Fact]], ProposedOperation]
"""Adds the text, and the entities and relations of its facts, to an operation."""


@dataclass(slots=True)
class Entry:
    """An existing or new memory: its facts, and the operation on it.

    `number` is the candidate's number; None for a new memory.
    """

    text: str
    facts: tuple[Fact, ...]
    number: int | None = None
    is_immutable: bool = False
    operation: ProposedOperation | None = None
    is_gone: bool = False

    @property
    def is_open(self) -> bool:
        """Whether the memory exists and may be changed."""
        return not (self.is_gone or self.is_immutable)


class Ledger:
    """The memories of a request and their changes."""

    def __init__(self, known: Iterator[Entry], describe: Describe) -> None:
        self._unread = known
        self._entries: list[Entry] = []
        self._by_digest: dict[bytes, Entry] = {}
        self._describe = describe
        self._unmatched: list[ProposedOperation] = []
        self._repeated: list[tuple[Entry, ProposedOperation]] = []

    def operations(self) -> list[ProposedOperation]:
        """Returns the operations in the order of the conversation, then the repetitions.

        Unchanged memories are proposed again for each repetition, so that none becomes a passage.
        """
        done = [entry.operation for entry in self._entries if entry.operation is not None]
        repeated = [
            replace(again, text=entry.text)
            for entry, again in self._repeated
            if not (entry.is_gone or (entry.number and entry.operation))
        ]
        return [*sorted([*done, *self._unmatched], key=lambda o: o.message), *repeated]

    def __len__(self) -> int:
        return sum(entry.operation is not None for entry in self._entries) + len(self._unmatched)

    def say(self, text: str, facts: tuple[Fact, ...], operation: ProposedOperation) -> None:
        """Adds a memory, unless there is one with this text."""
        self._read()
        entry = Entry(text, facts)
        if self._by_digest.setdefault(fact_digest(text), entry) is entry:
            entry.operation = self._describe(operation, text, facts)
            self._entries.append(entry)

    def state(self, fact: Fact, operation: ProposedOperation) -> None:
        """Adds a fact, and removes or replaces what it ends."""
        entries = self._read()
        known = self._by_digest.get(fact_digest(fact.text))
        if known is not None and not known.is_gone:
            if len(operation.quote.split()) <= len(fact.text.split()):  # It says nothing else.
                self._repeated.append((known, operation))
            return
        effect = Effect(fact)
        matches = [
            (entry, old, gone)
            for entry in entries
            if entry.is_open
            for old in entry.facts
            if (gone := effect.on(old)) is not None
        ]
        # A mere denial of what is known leaves nothing to keep.
        is_kept = not (matches and fact.has(Sense.DENIED)) or fact.attitude < 0
        for entry, old, gone in matches:
            if is_kept and not gone and len(entry.facts) == 1:
                entry.text, entry.facts, is_kept = fact.text, (fact,), False
                self._by_digest[fact_digest(fact.text)] = entry
                self._change(entry, operation)
            else:
                self._take_out(entry, old, gone, operation)
        if is_kept:
            self.say(fact.text, (fact,), operation)

    def forget(self, request: ForgetRequest, speaker: str, operation: ProposedOperation) -> None:
        """Forgets the memories, or only the items of a list, that the request names."""
        named = [
            entry
            for entry in self._read()
            if entry.is_open and request.names(entry.text, entry.facts, speaker)
        ]
        for entry in named:
            gone = _forgotten(entry, request, speaker)
            for fact in entry.facts:
                self._take_out(entry, fact, gone, operation)
            if not entry.facts:
                self._change(entry, operation)
        if not named:
            self._unmatched.append(operation)

    def _read(self) -> list[Entry]:
        """Returns all memories, after reading those that are known."""
        for entry in self._unread:
            self._entries.append(entry)
            self._by_digest[fact_digest(entry.text)] = entry
        return self._entries

    def _take_out(
        self, entry: Entry, fact: Fact, gone: Sequence[str], operation: ProposedOperation
    ) -> None:
        """Removes a fact from a memory, or only some items of its list."""
        left = list(entry.facts)
        place = left.index(fact)
        shorter = without_items(fact, gone) if gone else None
        left[place : place + 1] = [shorter] if shorter else []
        entry.facts = tuple(left)
        entry.text = " and ".join(each.text for each in left)
        self._change(entry, operation)

    def _change(self, entry: Entry, operation: ProposedOperation) -> None:
        """Sets the operation on a memory whose facts have changed."""
        entry.is_gone = not entry.facts
        entry.operation = None
        if entry.is_gone and entry.number is None:
            return
        if operation.action == "FORGET" and entry.is_gone:
            entry.operation = replace(operation, target=entry.number)
            return
        action = "DELETE" if entry.is_gone else "ADD" if entry.number is None else "UPDATE"
        changed = replace(operation, action=action, target=entry.number)
        entry.operation = self._describe(changed, entry.text, entry.facts)


def _forgotten(entry: Entry, request: ForgetRequest, speaker: str) -> tuple[str, ...]:
    """Returns the items of a list that the request names; () if these are none or all."""
    if len(entry.facts) != 1:
        return ()
    fact = entry.facts[0]
    gone = [
        item
        for item in fact.items
        if (alone := without_items(fact, [i for i in fact.items if i != item]))
        and request.names(alone.text, entry.facts, speaker)
    ]
    return tuple(gone) if len(gone) < len(fact.items) else ()
