"""A fact: an asserted clause in the words that are kept, and its meaning for comparisons."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from server.core.text import words
from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.clauses import Clause
from server.models.offline.lexicon import lists, pattern, verb_stem, word_set
from server.models.offline.people import Subject, content_stems
from server.models.offline.tokens import Token, joined, lowered, names_in
from server.models.offline.verbs import Sense

_NEWS = pattern("news")
_OF_KIND = {verb_stem(word): kind for kind, found in lists("one_at_a_time").items() for word in found}
_PROMOTED = (["made"], ["promoted"])


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
    neither replaces nor retracts another. `contrast` are the keys of what is denied: `tea, not
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
    def tail_stems(self) -> frozenset[str]:
        """The stems of the words after the items, empty if they may belong to one item only."""
        return frozenset() if _LISTING & set(lowered(self.tail)) else content_stems(joined(self.tail))

    @cached_property
    def words(self) -> frozenset[str]:
        """The stems of its words."""
        return content_stems(joined(self.clause.tokens)) | {self.stem}

    @cached_property
    def own_things(self) -> frozenset[str]:
        """The speaker's own things after the verb: `my flat`."""
        rest = joined(self.clause.rest).lower()
        mine = [f"{my} {key}" for key in self.things for my in ("my", "our", "their")]
        owner = self.subject.owner.key
        return frozenset(f"{owner}'s {m.partition(' ')[2]}" for m in mine if m in rest)

    @cached_property
    def role(self) -> str:
        """What a named subject is to the speaker: `Jasmin is my team lead`; "" for nothing."""
        is_own = lowered(self.clause.rest[:1]) in (["my"], ["our"]) and bool(self.items)
        noun = self.items[0].casefold().removeprefix("new ") if is_own else ""
        is_role = noun and self.stem == "be" and not self.subject.noun
        return f"{self.subject.owner.key}'s {noun}" if is_role else ""

    @cached_property
    def about(self) -> frozenset[str]:
        """The names of its subject."""
        return self.subject.names | ({self.role} if self.role else set())

    def with_employer_of(self, old: Fact) -> Fact:
        """Returns a promotion with the employer in the other fact."""
        employer = next((r for r in old.relations if r.relation == "works_at"), None)
        if not self.is_promotion or employer is None:
            return self
        text = f"{self.text.rstrip('.')} at {employer.target.name}"
        return replace(self, text=text, relations=(*self.relations, employer))

    @property
    def names(self) -> Iterator[str]:
        """The names in it that can be people's."""
        for place, name in names_in(self.clause.rest):
            before = self.clause.rest[place - 1].lower if place else self.stem
            if before not in _NOT_BEFORE_PEOPLE and self.relations == self.subject.relations:
                yield name

    @cached_property
    def is_news(self) -> bool:
        """Whether it states that something holds from now on."""
        is_told = _NEWS.search(joined(self.clause.tokens).lower()) or self.moved_to
        return bool(self.subject.is_new or is_told or self.is_promotion)

    @property
    def is_promotion(self) -> bool:
        """Whether it states another role with the same employer."""
        return lowered(self.clause.rest[:1]) in _PROMOTED

    @cached_property
    def moved_to(self) -> str:
        """The new value, time or place of its subject: `my rent went up to 1000 euros`."""
        is_moved = self.lead.endswith("to") and bool(self.items)
        found = lowered(self.clause.tokens[self.clause.verb :])
        return self.items[0].casefold() if is_moved and not _CHANGING.isdisjoint(found) else ""

    @cached_property
    def parts(self) -> tuple[dict[str, frozenset[str]], frozenset[str]]:
        """What in it may change by itself, by kind, and the stems of the other words.

        These are numbers and days, names after a preposition, and what one does in one way at a
        time, such as going to work.
        """
        clause, values, others = self.clause, defaultdict(set), {self.stem}
        told = _NEWS.sub("", joined((*clause.tokens[: clause.begin], *clause.rest)))
        after, is_name = "", False
        for token in map(_token, words(told)):
            is_name = token.is_name and (is_name or after in lexicon.PREPOSITIONS)
            kind = _OF_KIND.get(verb_stem(token.lower), "")
            kind = kind or ("#" if lexicon.is_quantity(token.lower) else "@" if is_name else "")
            if token.lower in self.contrast:
                break
            if kind:
                values[kind].add(token.lower)
            else:
                others |= content_stems(token.lower)
            after = after if token.lower in lexicon.DETERMINERS else token.lower
        if kind := _OF_KIND.get(self.stem, ""):
            values[kind].add(self.stem)
            others.remove(self.stem)
        return {kind: frozenset(found) for kind, found in values.items()}, frozenset(others)

    @cached_property
    def slots(self) -> dict[str, str]:
        """The properties of which its subject has one value at a time, with their values."""
        found = {} if self.has(Sense.RETRACTED) else self._possession()
        for r in self.relations:
            is_own = r.source.key in self.subject.names or r.source == self.subject.owner
            if r.relation in _SOFT or (is_own and is_functional(r.relation)):
                found[r.relation] = r.target.key
            if is_own and r.relation in _MARITAL_STATUS:
                found.setdefault("marital_status", _MARITAL_STATUS[r.relation])
        return found

    def _possession(self) -> dict[str, str]:
        """Returns who somebody's boss is, or what something of theirs is like, is, or costs."""
        subject, rest = self.subject, self.clause.rest
        if self.clause.is_former:
            return {}
        if self.role:
            return _single(self.role, subject.entity.key)
        if subject.entity == subject.owner or not subject.noun:
            return {}
        thing = f"{subject.owner.key}'s {subject.noun}"
        if subject.is_somebody:
            targets = [r for r in self.relations if r not in subject.relations]
            named = subject.entity if subject.text.endswith(subject.entity.name) else None
            named = targets[0].source if targets else named
            return _single(thing, named.key) if named and named.name[:1].isupper() else {}
        if self.moved_to:
            is_put = self.lead == "moved to" and not lexicon.is_quantity(self.moved_to.split()[0])
            kinds = ("where",) if is_put else ("where", "which", "how")
            return {f"{kind} {thing}": self.moved_to for kind in kinds}
        value = " ".join(lowered(rest))
        if self.stem != "be":
            return {}
        is_where = value.startswith(("with ", "at ", "on ", "in "))
        is_valued = value.startswith(("a ", "an ")) or any(
            t.is_name or lexicon.is_quantity(t.lower) for t in rest
        )
        return {f"{'where' if is_where else 'which' if is_valued else 'how'} {thing}": value}


def _token(word: str) -> Token:
    return Token(word, word.lower())


_DISLIKED_IF_DENIED = lexicon.stems("stand bear like enjoy")
_CHANGING = lexicon.listed("changing")
_SOFT = word_set("works_as follows_diet dates")
_MARITAL_STATUS = lexicon.pairs("marital_status")
_NOT_BEFORE_PEOPLE = word_set("in at on to from for near live work")
_SEVERAL = lexicon.listed("several_kin") | lexicon.PETS
_LISTING = frozenset({",", "and", "or", "&"})


def _single(thing: str, value: str) -> dict[str, str]:
    """Returns the value for somebody's boss or car; nothing if people have several."""
    which, noun = thing.rsplit(maxsplit=1)
    is_several = noun in _SEVERAL and not which.endswith("best")
    return {} if is_several else {f"which {which} {lexicon.KINSHIP.get(noun, noun)}": value}
