"""A fact: an asserted clause in the words that are kept, and what it says for comparing it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline.clauses import Clause, Token, joined, lowered, split, tokenize
from server.models.offline.lexicon import KINSHIP, listed, word_set
from server.models.offline.people import (
    PERSON,
    UNIQUE_KIN,
    Subject,
    kind_of,
    read_subject,
    related,
)
from server.models.offline.phrases import Complement, Item, read_complement, read_name
from server.models.offline.relations import stated
from server.models.offline.rewriting import Speaker, attributed, third_person_text
from server.models.offline.statements import Statement, Who, read_statement


@dataclass(frozen=True)
class Fact:
    """What a clause says, and in which words it is kept.

    A qualified fact holds on some occasions, or for one thing beside others: it neither replaces
    another fact nor takes one back.
    """

    text: str
    statement: Statement
    subject: Subject
    complement: Complement
    relations: tuple[Relation, ...]
    is_qualified: bool

    @property
    def stem(self) -> str:
        """The stem of the verb."""
        return self.statement.stem

    @property
    def is_dated(self) -> bool:
        """Whether it tells of a move or a change in a year that it names."""
        return self.statement.is_past and bool(_IN_A_YEAR.search(self.text))

    @property
    def is_news(self) -> bool:
        """Whether it says that it is so from now on."""
        is_got = lowered(self.statement.rest[:2]) == ["a", "new"]
        is_told = not _NEWS.isdisjoint(lowered(self.statement.tokens))
        return self.subject.is_new or is_got or is_told

    @property
    def tells_name(self) -> bool:
        """Whether it tells the name of somebody who had none: `my mom's name is Helga`."""
        known = self.subject.relations
        return bool(self.subject.kin and self.stem == "be" and set(self.relations) - set(known))

    def without_slots(self) -> Fact:
        """The fact without the relations of which there is one at a time."""
        kept = tuple(r for r in self.relations if not is_functional(r.relation))
        return replace(self, relations=kept)

    def shares_subject(self, other: Fact) -> bool:
        """Whether both are about the same."""
        return not self.subject.names.isdisjoint(other.subject.names)

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
    def gist(self) -> tuple[str, ...]:
        """Its words, but for articles and the adverbs that change nothing."""
        found = self.text.lower().rstrip(".!").split()
        return tuple(word for word in found if word not in _FILLERS)

    @cached_property
    def stated(self) -> frozenset[tuple[str, str, str]]:
        """What makes its relations the same as another's."""
        return frozenset(relation.identity for relation in self.relations)

    @cached_property
    def things(self) -> frozenset[str]:
        """The keys of the things that it lists."""
        return frozenset(item.key for item in self.complement.items)

    @cached_property
    def slots(self) -> dict[str, str]:
        """That of its subject of which there is one value at a time, and the key of each value."""
        subject = self.subject
        found = {
            r.relation: r.target.key
            for r in self.relations
            if is_functional(r.relation) and r.source.key in subject.names
        }
        if self.tells_name and subject.kin in UNIQUE_KIN:
            found[KINSHIP[subject.kin]] = _newcomer(self.relations[0], subject.owner).key
        if not {"married_to", "engaged_to"}.isdisjoint(found):
            found.setdefault("marital_status", "married")
        return found

    @cached_property
    def soft_slots(self) -> dict[tuple[str, str], str]:
        """The same, by subject, for what there may be several of unless a fact says it is new."""
        subject, owner = self.subject, self.subject.owner
        about = subject.entity.key
        found = {(about, r.relation): r.target.key for r in self.relations if r.relation in _SOFT}
        if self.is_role:
            found.setdefault((about, "works_as"), self.text)
        kin, person = self._introduced
        if kin in KINSHIP and kin not in _SEVERAL_KIN:
            found[owner.key, KINSHIP[kin]] = person
        is_thing = not subject.kin and subject.entity != owner and self.stem == "be"
        if is_thing and (self._tells_which or subject.is_new or not self.is_news):
            kind = "which" if self._tells_which else "how"
            found[min(subject.names), kind] = joined(self.statement.rest).lower()
        return found

    @property
    def _introduced(self) -> tuple[str, str]:
        """What somebody is to their owner, and their key: `I have a new boss, Tom`."""
        subject, words = self.subject, lowered(self.statement.rest[:3])
        is_had = self.stem in {"have", "get"} and words[:2] == ["a", "new"]
        if self.relations and (self.tells_name or (is_had and len(words) > 2)):  # noqa: PLR2004
            kin = subject.kin if self.tells_name else words[2]
            return kin, _newcomer(self.relations[0], subject.owner).key
        is_named = subject.is_new and not subject.entity.name.startswith(f"{subject.owner.name}'s ")
        return (subject.kin, subject.entity.key) if is_named else ("", "")

    @property
    def is_role(self) -> bool:
        """Whether it tells what somebody is or works as: `a nurse`, `a partner at KPMG`."""
        is_at = bool(self.values("works_at")) and lowered(self.statement.rest[:1]) != ["at"]
        is_named = self.stem == "be" or "as" in lowered(self.statement.rest)
        return bool(self.values("works_as")) or (is_at and is_named)

    @property
    def _tells_which(self) -> bool:
        """Whether it tells which one something is, and not only how: `my car is a Tesla`."""
        rest = self.statement.rest
        is_kind = bool(rest) and rest[0].lower in {"a", "an", "the", "called", "named"}
        return is_kind or any(token.is_name or token.text[0].isdigit() for token in rest)


def _newcomer(relation: Relation, owner: Entity) -> Entity:
    return relation.target if relation.source == owner else relation.source


_FILLERS = word_set("a an the really very also just still currently now so too")
_NEWS = word_set("now became become promoted")
_SOFT = word_set("works_as follows_diet")
_SEVERAL_KIN = listed("several_kin")
_NOT_BEFORE_PEOPLE = word_set("in at near on the a an")
_IN_A_YEAR = re.compile(r"\bin (?:\w+ )?\d{4}\b")
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)\w*"
_NEUTRAL = re.compile(
    rf"""(?:[\s,;()]*(?:
        now|currently|today|yesterday|again|already|recently|nowadays|anymore|any\ (?:more|longer)
      | these\ days|at\ the\ moment|so\ far|away|instead|officially|finally|years?\ old|tall
      | last\ (?:night|week|month|year|spring|summer|autumn|fall|winter|\w+day)
      | this\ (?:year|morning|spring|summer)
      | (?:in|on|since|last)\ (?:early\ |late\ |\d{{1,2}}\ )?(?:{_MONTH}|\d{{4}})(?:\ \d+)*
      | since\ [^,;]+|for\ \w+\ years?|\w+\ (?:day|week|month|year)s?\ ago|\(?\d{{4}}-[\d-]+\)?
      | as\ (?:an?|the)\ [\w\ -]+?(?=$|,|\ in\b|\ since\b)|with\ (?:my|their|our)\ [\w\ ]+
      | (?:named|called)\ [\w\ '-]+|because\ .+|and\ .+
    ))*[\s,;().]*""",
    re.VERBOSE,
)
_PLACE_TAIL = re.compile(r"(?:, |in |near |to |from |at )(?=[A-Z])[\w ,'-]+")
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
    complement = read_complement(statement.rest, after_be=statement.stem == "be")
    is_qualified = statement.is_limited or not (
        _is_neutral(statement.tokens[: statement.begin]) and _is_neutral(complement.tail)
    )
    subjects = _everybody(statement, subject)
    relations = [*stated(statement, subjects, complement), *_of_whom(statement, speaker)]
    if statement.subject_tokens[0].lower in {"neither", "either", "no"}:
        relations = []
    elif is_qualified:
        relations = [r for r in relations if not is_functional(r.relation)]
    text = third_person_text(statement, speaker, subject.text)
    if text is None:
        text = attributed(joined(clause.tokens), speaker)
    for r in relations:
        if r.relation == "named" and text == f"{speaker.name} is {r.target.name}":
            text = f"{speaker.possessive} name is {r.target.name}"
    known = tuple(dict.fromkeys(relations))
    return Fact(text, statement, subject, complement, known, is_qualified)


@lru_cache(maxsize=8_192)
def facts_of(text: str, speaker: Speaker) -> tuple[Fact, ...]:
    """The facts that a memory holds, so far as they can be told apart."""
    said = text.removeprefix(attributed("", speaker))
    found = (read_fact(clause, speaker, None) for clause in split(tokenize(said)))
    return tuple(fact for fact in found if fact is not None)


def without_items(fact: Fact, gone: Sequence[Item]) -> str | None:
    """The text of the fact without some of the things that it lists; None if none is left."""
    items = fact.complement.items
    kept = [item.text for item in items if item not in gone]
    start = fact.text.find(items[0].text) if items else -1
    last = fact.text.find(items[-1].text, start) if items else -1
    if not kept or start < 0 or last < 0:
        return None
    listing = " and ".join([", ".join(kept[:-1]), kept[-1]] if kept[1:] else kept)
    return fact.text[:start] + listing + fact.text[last + len(items[-1].text) :]


def _everybody(statement: Statement, subject: Subject) -> Sequence[Subject]:
    """The subject, or all of `Kim and Lee`, and of `my wife and I`."""
    words = lowered(statement.subject_tokens)
    if "and" not in words:
        return [subject]
    if statement.who is Who.NAMED:
        people = [Entity(n, PERSON) for n in joined(statement.subject_tokens).split(" and ")]
        return [Subject(p.name, p, subject.owner, frozenset({p.key})) for p in people]
    noun = next((word for word in words if kind_of(word)), "")
    kind = kind_of(noun)
    if statement.who is not Who.GROUP or kind is None:
        return [subject]
    other = Entity(f"{subject.owner.name}'s {noun}", kind[1])
    relation = related(subject.owner, kind[0], other)
    return [subject, Subject(other.name, other, subject.owner, frozenset({other.key}), noun,
                             relations=(relation,))]  # fmt: skip


def _of_whom(statement: Statement, speaker: Speaker) -> Sequence[Relation]:
    """What a relative clause states: `a brother named Tom who lives in Rome`."""
    rest = statement.rest
    place = next((p for p, token in enumerate(rest) if p and token.lower == "who"), None)
    if place is None or not rest[place - 1].is_name or statement.is_denied:
        return ()
    fact = read_fact(Clause((rest[place - 1], *rest[place + 1 :])), speaker, None)
    return fact.relations if fact else ()


def _is_neutral(tokens: Sequence[Token]) -> bool:
    """Whether the words around a fact only say since when, where or how it is so for good."""
    text = joined(tokens)
    if _PLACE_TAIL.search(text) and not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))
