"""Applies new facts, and requests to forget, to the memories of a request.

What a fact ends or replaces is removed, and other facts of the same memory stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from server.core.text import normalized, words
from server.memories.add.inference import ProposedOperation
from server.memories.memory import fact_digest
from server.models.offline import lexicon
from server.models.offline.effects import outdated
from server.models.offline.facts import Fact, without_items
from server.models.offline.people import content_stems
from server.models.offline.verbs import Sense

Describe = Callable[[ProposedOperation, str, Sequence[Fact]], ProposedOperation]
"""Adds the text, and the entities and relations of its facts, to an operation."""

_REQUEST, _EVERYTHING = lexicon.pattern("forget_request"), lexicon.pattern("everything")
_SAYS_NOTHING = lexicon.FUNCTION_WORDS | lexicon.listed("asking")
_SYNONYMS = {name: lexicon.stems(found) for name, found in lexicon.TABLES["synonyms"].items()}


@dataclass(slots=True)
class Entry:
    """A memory, its facts, and the operation on it; new memories have no `number`."""

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
        self._unread, self._describe = known, describe
        self._by_text: dict[bytes, Entry] = {}
        self._entries: list[Entry] = []
        self._repeated: list[tuple[Entry, ProposedOperation]] = []

    def operations(self) -> list[ProposedOperation]:
        """Returns the operations in the order of the conversation, then the repetitions.

        Unchanged memories are proposed again for each repetition, so that none becomes a passage.
        """
        changed = [entry.operation for entry in self._entries if entry.operation]
        repeated = [
            replace(again, text=entry.text)
            for entry, again in self._repeated
            if not (entry.is_gone or (entry.number and entry.operation))
        ]
        return [*sorted(changed, key=lambda operation: operation.message), *repeated]

    def __len__(self) -> int:
        return sum(entry.operation is not None for entry in self._entries)

    def say(self, text: str, facts: tuple[Fact, ...], operation: ProposedOperation) -> None:
        """Adds a memory, unless there is one with this text."""
        entry, known = Entry(text, facts), self._read().get(fact_digest(text))
        if known is None or known.is_gone:
            self._by_text[fact_digest(text)] = entry
            self._entries.append(entry)
            entry.operation = self._describe(operation, text, facts)

    def state(self, fact: Fact, operation: ProposedOperation) -> None:
        """Adds a fact, and removes or replaces what it ends."""
        known = self._read().get(fact_digest(fact.text))
        if known is not None and not known.is_gone:
            if len(operation.quote.split()) <= len(fact.text.split()):  # It says nothing else.
                self._repeated.append((known, operation))
            return
        matches = [
            (entry, old, gone)
            for entry in self._entries
            for old in (entry.facts if entry.is_open else ())
            if (gone := outdated(fact, old)) is not None
        ]
        # A mere denial of what is known leaves nothing to keep.
        is_kept = not (matches and fact.has(Sense.DENIED)) or fact.attitude < 0
        for entry, old, gone in matches:
            if is_kept and not gone and len(entry.facts) == 1:
                entry.text, entry.facts, is_kept = fact.text, (fact,), False
                self._by_text[fact_digest(fact.text)] = entry
                self._change(entry, operation)
            else:
                self._take_out(entry, old, gone, operation)
        if is_kept:
            self.say(fact.text, (fact,), operation)

    def forget(self, request: ForgetRequest, speaker: str, operation: ProposedOperation) -> None:
        """Forgets the memories, or only the items of a list, that the request names."""
        self._read()
        named = [e for e in self._entries if e.is_open and request.names(e.text, e.facts, speaker)]
        for entry in named:
            items = entry.facts[0].items if len(entry.facts) == 1 else ()
            gone = [item for item in items if request.stems <= content_stems(item)]
            for fact in entry.facts:
                self._take_out(entry, fact, gone if len(gone) < len(items) else (), operation)
            if not entry.facts:
                self._change(entry, operation)
        if not named:
            self._entries.append(Entry("", (), operation=operation, is_gone=True))

    def _read(self) -> dict[bytes, Entry]:
        for entry in self._unread:
            self._entries.append(entry)
            self._by_text[fact_digest(entry.text)] = entry
        return self._by_text

    def _take_out(
        self, entry: Entry, old: Fact, gone: Sequence[str], by: ProposedOperation
    ) -> None:
        """Removes a fact from a memory, or only some items of its list."""
        left = [without_items(each, gone) if each == old else each for each in entry.facts]
        entry.facts = tuple(each for each in left if each is not None)
        entry.text = " and ".join(each.text for each in entry.facts)
        self._change(entry, by)

    def _change(self, entry: Entry, operation: ProposedOperation) -> None:
        """Sets the operation on a memory whose facts have changed."""
        entry.is_gone, entry.operation = not entry.facts, None
        if entry.is_gone and entry.number is None:
            return
        if entry.is_gone and operation.action == "FORGET":
            entry.operation = replace(operation, target=entry.number)
            return
        action = "DELETE" if entry.is_gone else "UPDATE" if entry.number else "ADD"
        changed = replace(operation, action=action, target=entry.number)
        entry.operation = self._describe(changed, entry.text, entry.facts)


@dataclass(frozen=True, slots=True)
class ForgetRequest:
    """A request to forget something. `is_own` is whether it concerns the speaker.

    `is_bare` is whether the request does not mention memory (`delete my phone number`); as it could
    be about something else, it only matches memories that state a relation.
    """

    stems: frozenset[str]
    is_everything: bool
    is_own: bool
    is_bare: bool

    def names(self, text: str, facts: Sequence[Fact], speaker: str) -> bool:
        """Whether the request matches a memory, which contains all of its words."""
        is_about_speaker = normalized(text).startswith((f"{speaker} ", f"{speaker}'s ")) or any(
            fact.subject.owner.name == speaker and speaker in text for fact in facts
        )
        if self.is_everything or (self.is_own and not is_about_speaker):
            return self.is_everything and is_about_speaker
        relations = {relation.relation for fact in facts for relation in fact.relations}
        is_subject = any(self.stems <= fact.subject.stems for fact in facts)
        known = content_stems(f"{text} {' '.join(relations)}".replace("_", " "))
        known = known.union(*(_SYNONYMS.get(each, ()) for each in {*relations, *words(text)}))
        is_said = bool(self.stems) and self.stems <= known
        return is_said and bool(relations or is_subject or not self.is_bare)


def read_request(sentence: str) -> ForgetRequest | None:
    """Returns the request to forget in the sentence; None if it is no such request."""
    match = _REQUEST.match(normalized(sentence))
    if match is None:
        return None
    named = next(group for group in match.groups() if group)
    found = [word.lower() for word in words(named)]
    return ForgetRequest(
        content_stems(" ".join(word for word in found if word not in _SAYS_NOTHING)),
        is_everything=bool(_EVERYTHING.match(named)),
        is_bare=match["own"] is not None,
        is_own=bool({"i", "my", "me", "i'm", "i've"}.intersection(found)),
    )
