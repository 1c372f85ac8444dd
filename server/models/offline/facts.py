"""A fact: an asserted clause in the words that are kept, and its meaning for comparisons.

Its slots are functional properties, which have one value at a time, such as a home town."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.lexicon import KINSHIP, PETS, listed, pattern, word_set
from server.models.offline.people import Subject, is_personal_name, without_recency
from server.models.offline.phrases import (
    Complement,
    content_stems,
    is_quantity,
    names_in,
    states_quantity,
)
from server.models.offline.sentences import Token, joined, lowered
from server.models.offline.statements import Statement, Who
from server.models.offline.status import Ending, contrast_place, read_ending


@dataclass(frozen=True)
class Fact:
    """The meaning of a clause, and the words in which it is kept.

    A qualified fact holds only on some occasions, or for one thing among others: it neither
    replaces nor retracts another fact. `contrast` are the keys of what is denied: `tea, not
    coffee`.
    """

    text: str
    statement: Statement
    subject: Subject
    complement: Complement
    relations: tuple[Relation, ...]
    is_qualified: bool
    contrast: frozenset[str] = frozenset()
    is_correction: bool = False

    @property
    def stem(self) -> str:
        """The stem of the verb."""
        return self.statement.stem

    @cached_property
    def attitude(self) -> int:
        """1 if somebody likes something, -1 if they dislike it, else 0."""
        if self.statement.is_retraction:
            return -(self.stem in _DISLIKED_IF_DENIED)
        return (self.stem in lexicon.TASTES) - (self.stem in lexicon.DISTASTES)

    @property
    def verb_phrase(self) -> str:
        """The stem of the verb and the words after it."""
        return " ".join([self.stem, *lowered(self.statement.rest)])

    @property
    def words(self) -> frozenset[str]:
        """The stems of all of its words."""
        return content_stems(joined(self.statement.tokens))

    @cached_property
    def is_moved(self) -> bool:
        """Whether its subject gets another value, time or place: `my rent went up`."""
        return not _CHANGING.isdisjoint(lowered(self.statement.tokens[self.statement.verb :]))

    @property
    def is_dated(self) -> bool:
        """Whether it states a move or a change in a certain year."""
        return self.statement.is_past and bool(_IN_A_YEAR.search(self.text))

    @cached_property
    def ending(self) -> Ending:
        """Whatever the fact says has ended."""
        return read_ending(self.statement, self.complement)

    @cached_property
    def is_ending(self) -> bool:
        """Whether it states that something has ended."""
        return bool(self.ending)

    @property
    def may_retract(self) -> bool:
        """Whether it can take back something of another fact."""
        return self.is_ending or bool(self.ending.over) or self.attitude < 0

    @cached_property
    def is_news(self) -> bool:
        """Whether it states that something holds from now on."""
        is_told = _NEWS.search(joined(self.statement.tokens).lower())
        is_new = self.subject.is_new or self.is_promotion
        return is_new or bool(_new_value(self) or is_told)

    @cached_property
    def frame(self) -> str:
        """The text with placeholders for numbers, days and names; "" if it has none of them.

        Names that are the object itself are kept, because people may speak several languages.
        """
        rest = self.statement.rest
        frame = " ".join(map(_left_open, rest[: contrast_place(rest)]))
        frame = _UNITS.sub("#", _NEWS.sub("", frame))
        frame = re.sub(r"(\w\w)s\b", r"\1", frame)
        frame = _UNTIL.sub("", " ".join(re.sub(r"([#@])(?: \1)+", r"\1", frame).split()))
        is_event = self.statement.is_past or self.statement.is_limited
        is_open = not is_event and ("#" in frame or " @" in frame)
        return f"{self.stem} {frame}" if is_open else ""

    @property
    def is_measure(self) -> bool:
        """Whether it states how old, tall or long its subject is, or the like."""
        return self.frame.startswith(("be #", "be in #", "be in own #", "be in @ #"))

    @property
    def is_promotion(self) -> bool:
        """Whether it states another role with the same employer."""
        return lowered(self.statement.rest[:1]) in (["made"], ["promoted"])

    def with_employer_of(self, other: Fact) -> Fact:
        """Returns the promotion with the employer in the other fact."""
        employer = next((r for r in other.relations if r.relation == "works_at"), None)
        if not self.is_promotion or employer is None:
            return self
        text = f"{self.text.rstrip('.')} at {employer.target.name}"
        return replace(self, text=text, relations=(*self.relations, employer))

    @property
    def tells_name(self) -> bool:
        """Whether it states the name of somebody who had none: `my mom's name is Helga`."""
        known = self.subject.relations
        kinds = {relation.relation for relation in known}
        new_relations = (r for r in self.relations if r.relation in kinds and r not in known)
        return self.stem == "be" and any(new_relations)

    def is_like(self, other: Fact) -> bool:
        """Whether both relate to their items in the same words: `allergic to`."""
        return (self.stem, self.complement.lead) == (other.stem, other.complement.lead)

    def shares_subject(self, other: Fact) -> bool:
        """Whether both have the same subject."""
        return not self.about.isdisjoint(other.about)

    def values(self, relation: str) -> frozenset[str]:
        """Returns the keys of the targets of this relation."""
        return frozenset(r.target.key for r in self.relations if r.relation == relation)

    def mentioned(self) -> Iterator[tuple[str, str]]:
        """Yields possible names of people, each with the word before it, except in relations."""
        rest = self.statement.rest
        known = {e.key for r in self.relations for e in (r.source, r.target) if e.type}
        for place, name in names_in(rest):
            before = rest[place - 1].lower if place else self.stem
            is_person = before not in _NOT_BEFORE_PEOPLE and is_personal_name(name)
            if is_person and Entity(name).key not in known:
                yield name, before

    @cached_property
    def stated(self) -> frozenset[tuple[str, str, str]]:
        """The identities of its relations."""
        return frozenset(relation.identity for relation in self.relations)

    @cached_property
    def things(self) -> frozenset[str]:
        """The keys of its items."""
        return frozenset(item.key for item in self.complement.items)

    @cached_property
    def own_things(self) -> frozenset[str]:
        """The speaker's own things after the verb: `my flat`."""
        rest = joined(self.statement.rest).lower()
        owner = self.subject.owner.key
        return frozenset(
            f"{owner}'s {key}"
            for key in self.things
            for my in ("my", "our", "their")
            if f"{my} {key}" in rest
        )

    @cached_property
    def about(self) -> frozenset[str]:
        """The names of its subjects."""
        return self.subject.names | ({self.role} if self.role else set())

    @cached_property
    def role(self) -> str:
        """The role of a named subject for the speaker: `Jasmin is my team lead`; "" for none."""
        words = [word for word in lowered(self.statement.rest) if word not in lexicon.ADVERBS]
        is_role = self.stem == "be" and words[:1] in (["my"], ["our"]) and len(words) > 1
        if not is_role or self.statement.who is not Who.NAMED:
            return ""
        return f"{self.subject.owner.key}'s {' '.join(without_recency(words[1:]))}"

    @cached_property
    def slots(self) -> dict[str, str]:
        """The functional properties of its subject that it states, by name.

        The values are keys of entities, or words.
        """
        return _slots_of(self)


def _left_open(token: Token) -> str:
    if token.lower in {"my", "our", "their"}:
        return "own"
    if is_quantity(token.lower):
        return "#"
    return "@" if token.is_name else _SAME.get(token.lower, token.lower)


_NEWS, _UNITS = pattern("news"), pattern("units")
_SAME = {"an": "a", "once": "# times", "twice": "# times"}
_UNTIL = re.compile(r" (?:until|since) #$")
_NOT_BEFORE_PEOPLE = word_set("in at near on the a an")
_IN_A_YEAR = re.compile(r"\bin (?:\w+ )?\d{4}\b")
_CHANGING = word_set(
    "up down went rose increased dropped fell decreased changed moved raised slipped"
    " postponed pushed delayed rescheduled shifted"
)
_MARITAL_STATUS = lexicon.pairs("marital_status")
_DISLIKED_IF_DENIED = lexicon.stems("stand bear like enjoy")
_WHERE = ("with ", "at ", "on ", "in ")
_JOBLESS = word_set("unemployed jobless retired self-employed")
_SOFT = word_set("works_as follows_diet dates")
_SEVERAL = listed("several_kin")


def _slots_of(fact: Fact) -> dict[str, str]:
    """Returns the slots of a fact with their values: keys of entities, or words."""
    subject, words = fact.subject, lowered(fact.statement.rest)
    found = {} if fact.statement.is_former else _possession_slots(fact)
    for r in fact.relations:
        is_own = r.source.key in subject.names
        if r.relation in _SOFT | {subject.attribute} or (is_own and is_functional(r.relation)):
            found[r.relation] = r.target.key
        if is_own and r.relation in _MARITAL_STATUS:
            found.setdefault("marital_status", _MARITAL_STATUS[r.relation])
    if fact.stem == "be" and not _JOBLESS.isdisjoint(words[:1]):
        found["works_at"] = ""
    if "meat" in fact.values("eats"):
        found["follows_diet"] = "meat"
    return found


def _possession_slots(fact: Fact) -> dict[str, str]:
    """Returns who somebody's boss is, which car they have, or what it is like, by name."""
    subject = fact.subject
    is_named = subject.is_new and not subject.entity.name.startswith(f"{subject.owner.name}'s ")
    if fact.role and not fact.is_ending:
        owner, _, noun = fact.role.partition("'s ")
        return _slot(owner, noun, subject.entity.key)
    if subject.kin and (fact.tells_name or is_named):
        first = fact.relations[0]
        other = first.target if first.source == subject.owner else first.source
        return _slot(subject.owner.key, subject.kin, other.key)
    is_thing = not subject.kin and subject.entity != subject.owner
    return _thing_slots(fact) if is_thing else {}


def _thing_slots(fact: Fact) -> dict[str, str]:
    """Returns which one somebody's thing is, where it is, or what it is like."""
    subject, rest = fact.subject, fact.statement.rest
    words = " ".join(lowered(rest))
    name = min(subject.names - {subject.owner.key}, default="")
    is_where = words.startswith(_WHERE)
    is_valued = bool(subject.attribute) or any(t.is_name for t in rest) or states_quantity(rest)
    if value := _new_value(fact):
        is_put = fact.complement.lead == "moved to" and not states_quantity(rest)
        slots = [f"where {name}"] if is_put else [f"where {name}", f"which {name}", "how"]
        return dict.fromkeys(slots, value)
    if fact.stem == "be" and (is_where or is_valued):
        return {f"where {name}" if is_where else f"which {name}": words}
    return {"how": words} if fact.stem == "be" else {}


def _slot(owner: str, noun: str, value: str) -> dict[str, str]:
    """Returns the value for somebody's boss or car; nothing if people have several."""
    *which, last = noun.split()
    if last in _SEVERAL | PETS and "best" not in which:
        return {}
    kind = noun if "best" in which else KINSHIP.get(last, noun)
    return {f"which {owner}'s {kind}": value}


def _new_value(fact: Fact) -> str:
    """Returns the new value of something: `my rent went up to 1000 euros`; "" if unknown."""
    leads_to = fact.complement.lead.endswith("to") and bool(fact.complement.items)
    return fact.complement.items[0].key if fact.is_moved and leads_to else ""
