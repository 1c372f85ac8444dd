"""A fact: an asserted clause in the words that are kept, and its meaning for comparisons."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from server.core.text import words
from server.graph.model import Relation
from server.models.offline import lexicon
from server.models.offline.clauses import Clause
from server.models.offline.lexicon import pattern, stems, verb_stem
from server.models.offline.people import Subject, content_stems
from server.models.offline.tokens import Token, joined, lowered
from server.models.offline.verbs import Sense

_NEWS = pattern("news")
_KINDS = {
    verb_stem(word): kind
    for kind, found in lexicon.TABLES["one_at_a_time"].items()
    for word in found.split()
}
_DISLIKED_IF_DENIED = stems("stand bear like enjoy")


@dataclass(frozen=True, slots=True)
class Speaker:
    """The speaker of the words, by name and type in the graph."""

    name: str
    type: str = "person"

    def said(self, text: str) -> str:
        """Returns verbatim text as something that the speaker said."""
        return f"{self.name} said: {' '.join(text.split())}"


@dataclass(frozen=True)
class Fact:
    """The meaning of a clause, and the words in which it is kept.

    After the verb come `lead`, the words that belong to it (`allergic to`), the `items` of a list,
    and the `tail`. A qualified fact holds only on some occasions, or for one thing among others: it
    neither replaces nor retracts another. `contrast` are the words of what is denied: `tea, not
    coffee`.
    """

    text: str
    clause: Clause
    subject: Subject
    lead: str
    items: tuple[str, ...]
    tail: tuple[Token, ...]
    is_qualified: bool
    relations: tuple[Relation, ...] = ()
    contrast: frozenset[str] = frozenset()
    is_correction: bool = False

    @property
    def stem(self) -> str:
        """The stem of the verb."""
        return self.clause.stem

    def has(self, sense: Sense) -> bool:
        """Whether the clause is meant in any of these ways."""
        return bool(self.clause.sense & sense)

    def is_like(self, other: Fact) -> bool:
        """Whether both relate to their items in the same words: `allergic to`."""
        return (self.stem, self.lead) == (other.stem, other.lead)

    @cached_property
    def attitude(self) -> int:
        """1 if somebody likes something, -1 if they dislike it, else 0."""
        if self.has(Sense.RETRACTED):
            return -(self.stem in _DISLIKED_IF_DENIED)
        return (self.stem in lexicon.TASTES) - (self.stem in lexicon.DISTASTES)

    @cached_property
    def things(self) -> frozenset[str]:
        """The keys of its items."""
        return frozenset(item.casefold() for item in self.items)

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of its words."""
        return content_stems(joined(self.clause.tokens)) | {self.stem}

    @cached_property
    def role(self) -> str:
        """What a named subject is to the speaker: `Jasmin is my team lead`; "" for nothing."""
        is_role = self.items and self.stem == "be" and not self.subject.noun
        is_own = is_role and lowered(self.clause.rest[:1]) in (["my"], ["our"])
        return f"{self.subject.owner.key}'s {self.items[0].casefold()}" if is_own else ""

    @cached_property
    def about(self) -> frozenset[str]:
        """The names of its subject."""
        return self.subject.names | {self.role}.difference([""])

    @cached_property
    def is_news(self) -> bool:
        """Whether it states that something holds from now on."""
        is_told = _NEWS.search(joined(self.clause.tokens).lower())
        return self.subject.is_new or is_told is not None

    @cached_property
    def values(self) -> frozenset[tuple[str, str]]:
        """Its words, each with the kind of value that it is, or "".

        Values are numbers and days ("#"), names after a preposition ("@"), and ways of doing what
        is done in one way at a time, such as going to work. They can change by themselves.
        """
        clause, before, found = self.clause, "", set[tuple[str, str]]()
        told = _NEWS.sub("", joined((*clause.tokens[: clause.begin], *clause.rest)))
        for word in words(told):
            token = Token(word, word.lower())
            if token.lower in self.contrast:
                break
            is_name = token.is_name and (before in lexicon.PREPOSITIONS or before == "@")
            kind = "#" if lexicon.is_quantity(token.lower) else "@" if is_name else ""
            kind = _KINDS.get(verb_stem(token.lower), kind)
            stated = {verb_stem(token.lower)} if kind else content_stems(token.lower)
            found |= {(kind, stem) for stem in stated}
            before = "@" if is_name else before if token.lower == "the" else token.lower
        return frozenset(found | {(_KINDS.get(self.stem, ""), self.stem)})

    @cached_property
    def where(self) -> bool:
        """Whether it states where its subject is, and not what it is."""
        is_time = any(lexicon.is_quantity(token.lower) for token in self.clause.rest)
        return self.lead in {"at", "on", "in"} and not is_time
