"""Applies new facts, and requests such as `forget that I live in Oslo`, to memories.

A retracted fact is removed, and other facts of its memory stay. When in doubt, nothing is changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from server.core.text import english_stem, normalized, words
from server.memories.add.inference import ProposedOperation
from server.memories.memory import fact_digest
from server.models.offline import lexicon
from server.models.offline.facts import Fact
from server.models.offline.phrases import Item, content_stems
from server.models.offline.reading import introduced_by, parts_of, without_items
from server.models.offline.replacing import replaces
from server.models.offline.retracting import retracted_items
from server.models.offline.statements import Who
from server.models.offline.status import DENIAL

_REQUEST, _EVERYTHING = lexicon.pattern("forget_request"), lexicon.pattern("everything")
_SAYS_NOTHING = lexicon.FUNCTION_WORDS | lexicon.listed("asking")
_SYNONYM_STEMS = {
    relation: frozenset(map(english_stem, names))
    for relation, names in lexicon.lists("synonyms").items()
}
_SHORTEST_COMMON = 4


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
        if self.is_own and not is_about_speaker:
            return False
        if self.is_everything:
            return is_about_speaker
        relations = {relation.relation for fact in facts for relation in fact.relations}
        is_subject = any(self.stems <= fact.subject.stems for fact in facts)
        if self.is_bare and not (relations or is_subject):
            return False
        known = content_stems(f"{text} {' '.join(relations)}".replace("_", " "))
        said = {*relations, *words(text)}
        said |= {"called" for fact in facts if fact.tells_name}
        known = known.union(*(_SYNONYM_STEMS.get(each, ()) for each in said))
        return bool(self.stems) and all(any(_same(s, k) for k in known) for s in self.stems)


def read_request(sentence: str) -> ForgetRequest | None:
    """Returns the request to forget in the sentence; None if it is no such request."""
    match = _REQUEST.match(normalized(sentence))
    if match is None:
        return None
    named = next(group for group in match.groups() if group)
    found = [word.lower() for word in words(named)]
    about = [word for word in found if word not in _SAYS_NOTHING]
    return ForgetRequest(
        content_stems(" ".join(about or {"from"}.intersection(found))),
        is_everything=bool(_EVERYTHING.match(named)),
        is_bare=match["own"] is not None,
        is_own=bool({"i", "my", "me", "i'm", "i've"}.intersection(found)),
    )


def _same(one: str, other: str) -> bool:
    """Whether two stems belong to one word: `allergi` and `allerg`."""
    shorter, longer = sorted((one, other), key=len)
    is_close = len(longer) - len(shorter) <= 1 and len(shorter) > _SHORTEST_COMMON
    return one == other or (is_close and longer.startswith(shorter))


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
    digest: bytes = field(init=False)

    def __post_init__(self) -> None:
        """Computes the key by which identical memories are found."""
        self.digest = fact_digest(self.text)

    @property
    def is_open(self) -> bool:
        """Whether the memory exists and may be changed."""
        return not (self.is_gone or self.is_immutable)


class Ledger:
    """The memories of a request and their changes.

    The known memories are not read until something may change them: most messages change nothing.
    """

    def __init__(self, known: Iterator[Entry], describe: Describe) -> None:
        self._known = known
        self._entries: list[Entry] = []
        self._digests: set[bytes] = set()
        self._describe = describe
        self._unmatched: list[ProposedOperation] = []
        self._repeated: list[tuple[bytes, ProposedOperation]] = []

    def operations(self) -> list[ProposedOperation]:
        """Returns the operations in the order of the conversation, then the repetitions.

        Unchanged memories are proposed again for each repetition, so that none becomes a passage.
        """
        done = [entry.operation for entry in self._entries if entry.operation is not None]
        held = {
            e.digest: e.text for e in self._entries if not (e.is_gone or (e.number and e.operation))
        }
        repeated = [replace(again, text=held[d]) for d, again in self._repeated if d in held]
        return [*sorted([*done, *self._unmatched], key=lambda o: o.message), *repeated]

    def __len__(self) -> int:
        return sum(entry.operation is not None for entry in self._entries) + len(self._unmatched)

    def say(self, text: str, operation: ProposedOperation) -> None:
        """Adds a statement that is kept verbatim."""
        self._add(text, (), operation)

    def state(self, fact: Fact, operation: ProposedOperation) -> None:
        """Adds a fact."""
        self._part(fact)
        standing = list(self._standing())
        digest = fact_digest(fact.text)
        if digest in self._digests:
            if len(operation.quote.split()) <= len(fact.text.split()):  # It says nothing else.
                self._repeated.append((digest, operation))
            return
        matches = [
            (entry, other, gone)
            for entry, other in (standing if fact.may_retract else ())
            if entry.is_open and (gone := retracted_items(fact, other)) is not None
        ]
        if matches or (fact.is_ending and not fact.slots):
            self._retract(fact, matches, operation)
        else:
            place = self._replaced(fact, standing)
            if place is None:
                self._add(fact.text, (fact,), operation)
            else:
                self._put(*place, fact.with_employer_of(place[1]), operation)

    def forget(self, request: ForgetRequest, speaker: str, operation: ProposedOperation) -> None:
        """Forgets the memories, or only the items of a list, that the request names."""
        found = False
        for entry in self._read():
            if not (entry.is_open and request.names(entry.text, entry.facts, speaker)):
                continue
            found = True
            if gone := _forgotten(entry, request, speaker):
                self._take_out(entry, entry.facts[0], gone, operation)
            else:
                entry.facts = ()
                self._change(entry, operation)
        if not found:
            self._unmatched.append(operation)

    def _read(self) -> list[Entry]:
        """Returns all memories, after reading those that are known."""
        for entry in self._known:
            self._entries.append(entry)
            self._digests.add(entry.digest)
        return self._entries

    def _standing(self) -> Iterator[tuple[Entry, Fact]]:
        for entry in self._read():
            if not entry.is_gone:
                for fact in entry.facts:
                    yield entry, fact

    def _part(self, fact: Fact) -> None:
        """Separates a joint fact of which this one changes a part: `Eva and Tom live in Kiel`."""
        if fact.statement.who is Who.GROUP:
            return
        for entry, other in self._standing():
            if not other.subject.members or len(entry.facts) > 1 or not entry.is_open:
                continue
            parts = parts_of(other)
            changed = [
                p for p in parts if replaces(fact, p) or retracted_items(fact, p) is not None
            ]
            if changed and len(changed) < len(parts):
                entry.facts = parts

    def _add(self, text: str, facts: tuple[Fact, ...], operation: ProposedOperation) -> None:
        memories, entry = self._read(), Entry(text, facts)
        if entry.digest not in self._digests:
            entry.operation = self._describe(operation, text, facts)
            self._digests.add(entry.digest)
            memories.append(entry)

    def _replaced(
        self, fact: Fact, standing: Sequence[tuple[Entry, Fact]]
    ) -> tuple[Entry, Fact] | None:
        """Returns the fact that the new one replaces; None if there is none or more than one."""
        found = [(e, o) for e, o in standing if e.is_open and replaces(fact, o)]
        return found[0] if len(found) == 1 else None

    def _put(self, entry: Entry, old: Fact, fact: Fact, operation: ProposedOperation) -> None:
        """Replaces a fact of a memory; other facts of the memory stay."""
        if len(entry.facts) > 1:
            self._take_out(entry, old, (), operation)
            self._add(fact.text, (fact,), operation)
            return
        entry.text, entry.facts = fact.text, (fact,)
        self._digests.add(fact_digest(fact.text))
        self._change(entry, operation)
        if not (fact.is_correction or fact.contrast or fact.is_ending):
            self._keep_people(fact, old, operation)

    def _keep_people(self, fact: Fact, old: Fact, operation: ProposedOperation) -> None:
        """Keeps who somebody is, if only a fact that has ended says so: `my brother Ben smokes`."""
        for known in introduced_by(old):
            kin = known.subject.kin
            phrase = f"{kin} {known.complement.items[0].text}"
            is_known = any(phrase in each.text for each in self._entries if not each.is_gone)
            if kin != fact.subject.kin and not is_known:
                self._add(known.text, (known,), operation)

    def _retract(
        self,
        fact: Fact,
        matches: Sequence[tuple[Entry, Fact, tuple[Item, ...]]],
        operation: ProposedOperation,
    ) -> None:
        """Removes what the fact denies. The fact itself is kept if it states more than that."""
        is_kept = not matches or _says_more(fact)
        for entry, other, gone in matches:
            if is_kept and len(entry.facts) == 1 and not gone:
                self._put(entry, other, fact, operation)
                is_kept = False
            else:
                self._take_out(entry, other, gone, operation)
            if other.subject.kin and DENIAL in fact.ending.kinds and not fact.role:
                self._keep_people(fact, other, operation)
        if is_kept:
            self._add(fact.text, (fact,), operation)

    def _take_out(
        self, entry: Entry, fact: Fact, gone: Sequence[Item], operation: ProposedOperation | None
    ) -> None:
        """Removes a fact from a memory, or only some items of its list."""
        left = list(entry.facts)
        place = left.index(fact)
        shorter = without_items(fact, gone) if gone else None
        left[place : place + 1] = [shorter] if shorter else []
        entry.facts = tuple(left)
        entry.text = " and ".join(each.text for each in left)
        self._change(entry, operation)

    def _change(self, entry: Entry, operation: ProposedOperation | None) -> None:
        """Sets the operation on a memory whose facts have changed."""
        entry.is_gone = not entry.facts
        entry.operation = None
        if operation is None or (entry.is_gone and entry.number is None):
            return
        if operation.action == "FORGET" and entry.is_gone:
            entry.operation = replace(operation, target=entry.number)
            return
        action = "DELETE" if entry.is_gone else "ADD" if entry.number is None else "UPDATE"
        changed = replace(operation, action=action, target=entry.number)
        entry.operation = self._describe(changed, entry.text, entry.facts)


def _forgotten(entry: Entry, request: ForgetRequest, speaker: str) -> tuple[Item, ...]:
    """Returns the items of a list that the request names; () if these are none or all."""
    if len(entry.facts) != 1 or entry.text.rstrip(".") != entry.facts[0].text.rstrip("."):
        return ()
    fact = entry.facts[0]
    gone = []
    for item in fact.complement.items:
        alone = without_items(fact, [other for other in fact.complement.items if other != item])
        if alone and request.names(alone.text, entry.facts, speaker):
            gone.append(item)
    return tuple(gone) if len(gone) < len(fact.complement.items) else ()


def _says_more(fact: Fact) -> bool:
    """Whether a retraction is itself worth keeping: a dislike, a sale, a past state."""
    return not fact.statement.is_denied or fact.attitude < 0 or bool(fact.slots)
