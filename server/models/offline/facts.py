"""A fact: an asserted clause in the words that are kept, and what it says for comparing it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.clauses import Clause, Token, joined, lowered, split, tokenize
from server.models.offline.endings import Ending, read_ending
from server.models.offline.lexicon import KINSHIP, listed, word_set
from server.models.offline.people import (
    Subject,
    kind_of,
    read_subject,
    related,
    without_which,
)
from server.models.offline.phrases import (
    Complement,
    Item,
    is_quantity,
    read_complement,
    read_name,
)
from server.models.offline.relations import stated
from server.models.offline.rewriting import Speaker, attributed, third_person_text
from server.models.offline.statements import Statement, Who, read_statement


@dataclass(frozen=True)
class Fact:
    """What a clause says, and in which words it is kept.

    A qualified fact holds on some occasions, or for one thing beside others: it neither replaces
    another fact nor takes one back. `contrast` are the keys of what is said not to be so: `tea, not
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
        """1 for what somebody likes, -1 for what they dislike; else 0."""
        return (self.stem in lexicon.TASTES) - (self.stem in lexicon.DISTASTES)

    @property
    def is_dated(self) -> bool:
        """Whether it tells of a move or a change in a year that it names."""
        return self.statement.is_past and bool(_IN_A_YEAR.search(self.text))

    @cached_property
    def ending(self) -> Ending:
        """What it says is so no longer."""
        return read_ending(self.statement, self.complement)

    @cached_property
    def is_ending(self) -> bool:
        """Whether it says that something is so no longer."""
        return bool(self.ending)

    @cached_property
    def is_news(self) -> bool:
        """Whether it says that it is so from now on."""
        is_told = _NEWS.search(joined(self.statement.tokens).lower())
        return self.subject.is_new or bool(self._newcomer or self._new_value or is_told)

    @cached_property
    def frame(self) -> str:
        """What it says with its numbers, days and names left open; "" if it has none.

        Names that are the object itself are not left open: one may speak several languages.
        """
        frame = " ".join(
            map(_left_open, self.statement.rest[: _contrast_place(self.statement.rest)])
        )
        frame = _UNITS.sub("#", _NEWS.sub("", frame))
        frame = _UNTIL.sub("", " ".join(re.sub(r"([#@])(?: \1)+", r"\1", frame).split()))
        is_event = self.statement.is_past or self.statement.is_limited
        is_open = not is_event and ("#" in frame or " @" in frame)
        return f"{self.stem} {frame}" if is_open else ""

    @property
    def is_measure(self) -> bool:
        """Whether it tells how old, tall or long its subject is, or the like."""
        return self.frame.startswith("be #")

    @property
    def is_promotion(self) -> bool:
        """Whether it tells of another role with the same employer."""
        return lowered(self.statement.rest[:2]) == ["promoted", "to"]

    def with_employer_of(self, other: Fact) -> Fact:
        """The promotion, told with the employer that the fact before it names."""
        employer = next((r for r in other.relations if r.relation == "works_at"), None)
        if not self.is_promotion or employer is None or self.values("works_at"):
            return self
        text = f"{self.text.rstrip('.')} at {employer.target.name}"
        return replace(self, text=text, relations=(*self.relations, employer))

    @property
    def tells_name(self) -> bool:
        """Whether it tells the name of somebody who had none: `my mom's name is Helga`."""
        known = self.subject.relations
        kinds = {relation.relation for relation in known}
        told = (r for r in self.relations if r.relation in kinds and r not in known)
        return self.stem == "be" and any(told)

    def without_slots(self) -> Fact:
        """The fact without the relations of which there is one at a time."""
        kept = tuple(r for r in self.relations if not is_functional(r.relation))
        return replace(self, relations=kept)

    def is_like(self, other: Fact) -> bool:
        """Whether both say in the same words what something is to their things: `allergic to`."""
        return (self.stem, self.complement.lead) == (other.stem, other.complement.lead)

    @cached_property
    def stages(self) -> dict[str, int]:
        """With whom somebody is together, by key, and how far that has come."""
        found = ((r, _STAGES.find(r.relation)) for r in self.relations)
        return {r.target.key: stage for r, stage in found if stage >= 0}

    def shares_subject(self, other: Fact) -> bool:
        """Whether both are about the same."""
        return not self.about.isdisjoint(other.about)

    def values(self, relation: str) -> frozenset[str]:
        """The keys of what it relates to in this way."""
        return frozenset(r.target.key for r in self.relations if r.relation == relation)

    def mentioned(self) -> Iterator[tuple[str, str]]:
        """Names of what may be a person, with the word before each, but for those in relations."""
        rest = self.statement.rest
        known = {e.key for r in self.relations for e in (r.source, r.target) if e.type}
        place = 0
        while place < len(rest):
            before = rest[place - 1].lower if place else self.stem
            name = read_name(rest, place) if before not in _NOT_BEFORE_PEOPLE else None
            if name and Entity(name[0]).key not in known:
                yield name[0].removesuffix("'s"), before
            place = name[1] if name else place + 1

    @cached_property
    def stated(self) -> frozenset[tuple[str, str, str]]:
        """What makes its relations the same as another's."""
        return frozenset(relation.identity for relation in self.relations)

    @cached_property
    def things(self) -> frozenset[str]:
        """The keys of the things that it lists."""
        return frozenset(item.key for item in self.complement.items)

    @cached_property
    def own_things(self) -> frozenset[str]:
        """The things of the speaker's that follow the verb: `my flat`."""
        rest = joined(self.statement.rest).lower()
        owner = self.subject.owner.key
        return frozenset(
            f"{owner}'s {key}"
            for key in self.things
            for my in ("my", "our")
            if f"{my} {key}" in rest
        )

    @cached_property
    def about(self) -> frozenset[str]:
        """The names of what it is about; `I have a new boss, Tom` is about the boss as well."""
        owner = self.subject.entity.key
        role = {self.role} if self.role else set()
        return self.subject.names | role | {f"{owner}'s {kin}" for kin in self._newcomer}

    @cached_property
    def role(self) -> str:
        """What of the speaker's a named subject is: `Jasmin is my team lead`; "" for nothing."""
        words = [word for word in lowered(self.statement.rest) if word not in lexicon.ADVERBS]
        is_role = self.stem == "be" and words[:1] in (["my"], ["our"]) and len(words) > 1
        if not is_role or self.statement.who is not Who.NAMED:
            return ""
        return f"{self.subject.owner.key}'s {' '.join(without_which(words[1:]))}"

    @cached_property
    def slots(self) -> dict[str, str]:
        """That of its subject of which it tells the value, as there is one at a time, or a new one.

        The values are keys of entities, or words.
        """
        subject, words = self.subject, lowered(self.statement.rest)
        found = {
            r.relation: r.target.key
            for r in self.relations
            if (is_functional(r.relation) and r.source.key in subject.names)
            or r.relation in _SOFT
            or r.relation == subject.attribute
        }
        related = {r.relation for r in self.relations if r.source.key in subject.names}
        for relation, status in _MARITAL_STATUS.items():
            if relation in related:
                found.setdefault("marital_status", status)
        if self.stem == "be" and words[:1] and words[0] in _JOBLESS:
            found["works_at"] = ""
        if "meat" in self.values("eats"):
            found["follows_diet"] = "meat"
        is_named = subject.is_new and not subject.entity.name.startswith(f"{subject.owner.name}'s ")
        people = dict(self._newcomer)
        if subject.kin and (self.tells_name or is_named):
            people[subject.kin] = _other(self.relations[0], subject.owner)
        if self.role and not self.is_ending and (kin := self.role.split()[-1]) in KINSHIP:
            people[kin] = subject.entity.key
        found |= {KINSHIP[kin]: key for kin, key in people.items() if kin in _REPLACEABLE}
        found |= {
            f"which {subject.entity.key}'s {noun}": key for noun, key in self._newcomer.items()
        }
        which = f"which {min(subject.names - {subject.owner.key}, default='')}"
        if self.role and not self.is_ending:
            found[f"which {self.role}"] = subject.entity.key
        elif self._new_value and not subject.kin and subject.entity != subject.owner:
            found[which] = self._new_value
        elif not subject.kin and subject.entity != subject.owner and self.stem == "be":
            is_kind = words[:1] and words[0] in {"a", "an", "the", "called", "named"}
            rest = self.statement.rest
            is_valued = any(t.is_name or t.text[0].isdigit() for t in rest)
            tells_which = is_kind or is_valued or self.complement.is_date
            if tells_which or subject.is_new or not self.is_news:
                found[which if tells_which else "how"] = " ".join(words)
        return found

    @property
    def _new_value(self) -> str:
        """What something has become: `my rent went up to 1000 euros`."""
        is_moved = not _CHANGING.isdisjoint(lowered(self.statement.tokens[self.statement.verb :]))
        leads_to = self.complement.lead.endswith("to") and bool(self.complement.items)
        return self.complement.items[0].key if is_moved and leads_to else ""

    @cached_property
    def _newcomer(self) -> dict[str, str]:
        """What new one the subject has, and its key: `I have a new boss, Tom`."""
        match = _NEWCOMER.match(joined(self.statement.rest))
        is_had = self.stem in lexicon.POSSESSING and match is not None
        if not is_had or match is None:
            return {}
        noun, name = match.groups()
        if noun in KINSHIP and self.relations:
            return {noun: _other(self.relations[0], self.subject.entity)}
        return {noun: name.lower()} if name else {}


def _left_open(token: Token) -> str:
    return "#" if is_quantity(token.lower) else "@" if token.is_name else token.lower


def _other(relation: Relation, owner: Entity) -> str:
    """The key of the other one in a relation of the owner's."""
    return (relation.target if relation.source == owner else relation.source).key


_NEWS = re.compile(
    r"\b(?:as of|from now on|now|nowadays|currently|these days|at the moment|instead|became|become"
    r"|promoted|again|since|(?:up|down) to)\b"
)
_UNITS = re.compile(r"(?:\ban? |# )(?:minute|hour|day|week|month|year|kilo|euro|pound|dollar)s?\b")
_UNTIL = re.compile(r" (?:until|since) #$")
_CHANGING = word_set(
    "up down went rose increased dropped fell decreased changed moved postponed raised"
)
_MARITAL_STATUS = {"married_to": "married", "engaged_to": "engaged", "dates": "together",
                   "partner_of": "together"}  # fmt: skip
_NEWCOMER = re.compile(r"a new ([\w -]+?)(?:(?:,| called| named)+ (.+))?$")
_STAGES = "partner_of dates engaged_to married_to"
_JOBLESS = word_set("unemployed jobless retired")
_SOFT = word_set("works_as follows_diet")
_REPLACEABLE = KINSHIP.keys() - listed("several_kin")
_NOT_BEFORE_PEOPLE = word_set("in at near on the a an")
_IN_A_YEAR = re.compile(r"\bin (?:\w+ )?\d{4}\b")
_MONTH = "(?:" + "|".join(f"{name}|{name[:3]}" for name in lexicon.MONTHS) + r"|sept)\b\.?"
_NEUTRAL = re.compile(
    rf"""(?:[\s,;()]*(?:
        as\ of\ [\w ]+?(?=$|,)|from\ now\ on|now|currently|today
      | yesterday|again|already|recently|nowadays|anymore|any\ (?:more|longer)
      | these\ days|at\ the\ moment|so\ far|away|instead|after\ all|in\ the\ end
      | officially|finally|years?\ old|tall
      | together|part-time|full-time|remotely
      | last\ (?:night|week|month|year|spring|summer|autumn|fall|winter|\w+day)
      | this\ (?:year|morning|spring|summer)
      | (?:in|on|since|last)\ (?:early\ |late\ |\d{{1,2}}\ )?(?:{_MONTH}|\d{{4}})(?:\ \d+)*
      | since\ [^,;]+|for\ \w+\ years?|\w+\ (?:day|week|month|year)s?\ ago|\(?\d{{4}}-[\d-]+\)?
      | as\ (?:an?|the)\ [\w\ -]+?(?=$|,|\ in\b|\ since\b)|with\ (?:my|their|our)\ [\w\ ]+
      | (?:named|called)\ [\w\ '-]+|because\ .+|and\ .+
    ))*[\s,;().]*""",
    re.VERBOSE,
)
_FROM_NOW_ON = re.compile(
    r"(?:[\s,;()]*(?:now|currently|nowadays|these days|at the moment|yet|after all|at all"
    r"|(?:since|because|and) .+))*[\s,;().]*"
)
_ON_A_DAY = re.compile(r"(?i)\bon \w+day\b")
_PLACE_TAIL = re.compile(r"(?:, |in |near |to |from |at )(?=[A-Z])[\w ,.'-]+")
_SEASON = re.compile(
    rf"(?i)\b(?:summer|winter|spring|autumn|fall|weekends?|mornings?|evenings?|\w+days?|{_MONTH})\b"
)


def read_fact(clause: Clause, speaker: Speaker, meant: Subject | None) -> Fact | None:
    """The fact in a clause; None if it asserts none, or it is not clear about whom."""
    statement = read_statement(clause)
    own = Entity(speaker.name, speaker.type)
    subject = read_subject(statement, own, meant) if statement else None
    if statement is None or subject is None:
        return None
    contrast = _contrast_place(statement.rest)
    after_be = statement.stem in {"be", "get"}
    complement = read_complement(statement.rest[:contrast], after_be=after_be)
    others = read_complement(statement.rest[contrast:], after_be=False).items if contrast else ()
    is_qualified = statement.is_limited or not (
        _is_neutral(statement.tokens[: statement.begin]) and _is_tail_neutral(statement, complement)
    )
    subjects = _everybody(statement, subject)
    relations = list(stated(statement, subjects, complement))
    if statement.subject_tokens[0].lower in {"neither", "either", "no"}:
        relations = []
    elif is_qualified:
        is_averse = statement.is_denied or statement.stem in lexicon.DISTASTES
        relations = [] if is_averse else [r for r in relations if not is_functional(r.relation)]
    if relations:
        relations += _of_introduced(statement, speaker)
    text = third_person_text(statement, speaker, subject.text)
    if text is None:
        text = attributed(joined(clause.tokens), speaker)
    for r in relations:
        if r.relation == "named" and text == f"{speaker.name} is {r.target.name}":
            text = f"{speaker.possessive} name is {r.target.name}"
    known = tuple(dict.fromkeys(relations))
    return Fact(text, statement, subject, complement, known, is_qualified,
                frozenset(item.key for item in others))  # fmt: skip


def _contrast_place(rest: Sequence[Token]) -> int | None:
    """Where `, not coffee` or `instead of coffee` begins."""
    for place in range(1, len(rest) - 1):
        before, word, after = lowered(rest[place - 1 : place + 2])
        is_not = word == "not" and before in {",", "and"}
        if is_not or f"{word} {after}" in {"instead of", "rather than"}:
            return place
    return None


@lru_cache(maxsize=8_192)
def facts_of(text: str, speaker: Speaker) -> tuple[Fact, ...]:
    """The facts that a memory holds, so far as they can be told apart."""
    said = text.removeprefix(attributed("", speaker))
    found = (read_fact(clause, speaker, None) for clause in split(tokenize(said)))
    return tuple(fact for fact in found if fact is not None)


def without_items(fact: Fact, gone: Sequence[Item]) -> Fact | None:
    """The fact without some of the things that it lists; None if none is left."""
    items = fact.complement.items
    kept = [item for item in items if item not in gone]
    start = fact.text.find(items[0].text) if items else -1
    last = fact.text.find(items[-1].text, start) if items else -1
    if not kept or start < 0 or last < 0:
        return None
    *first, final = (item.text for item in kept)
    listing = " and ".join([", ".join(first), final] if first else [final])
    keys = {item.key for item in gone}
    return replace(
        fact,
        text=fact.text[:start] + listing + fact.text[last + len(items[-1].text) :],
        complement=replace(fact.complement, items=tuple(kept)),
        relations=tuple(r for r in fact.relations if r.target.key not in keys),
    )


def _of_introduced(statement: Statement, speaker: Speaker) -> Iterator[Relation]:
    """What a clause says of whom it introduces: `I have a brother named Tom who lives in Rome`."""
    rest = statement.rest
    place = next((p for p, token in enumerate(rest) if token.lower == "who"), 0)
    end = place - (place > 0 and rest[place - 1].text == ",")
    name = next((p for p in range(end) if (read_name(rest, p) or ("", 0))[1] == end), None)
    if name is not None and not (statement.is_retraction or statement.is_planned):
        told = read_fact(Clause((*rest[name:end], *rest[place + 1 :])), speaker, None)
        yield from told.relations if told else ()


def _everybody(statement: Statement, subject: Subject) -> Sequence[Subject]:
    """The subject, or all of `Kim and Lee`, and of `my wife and I`."""
    if subject.members:
        return subject.members
    words = lowered(statement.subject_tokens)
    noun = next((word for word in words if kind_of(word)), "")
    kind = kind_of(noun)
    if statement.who is not Who.GROUP or kind is None:
        return [subject]
    other = Entity(f"{subject.owner.name}'s {noun}", kind[1])
    relation = related(subject.owner, kind[0], other)
    return [subject, Subject(other.name, other, subject.owner, frozenset({other.key}), noun,
                             relations=(relation,))]  # fmt: skip


def _is_tail_neutral(statement: Statement, complement: Complement) -> bool:
    """Whether what follows the things only says since when, where or how it is so for good.

    What is not done in one place, or on one day, is done elsewhere.
    """
    if statement.is_denied and not statement.is_over and complement.items:
        return bool(_FROM_NOW_ON.fullmatch(joined(complement.tail).lower()))
    return _is_neutral(complement.tail, is_event=statement.is_past or not complement.items)


def _is_neutral(tokens: Sequence[Token], *, is_event: bool = False) -> bool:
    """Whether the words around a fact only say since when, where or how it is so for good.

    Of an event the day only says when it is.
    """
    text = joined(tokens)
    if is_event:
        text = _ON_A_DAY.sub("", text)
    if _PLACE_TAIL.search(text) and not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))
