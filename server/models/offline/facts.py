"""A fact: an asserted clause in the words that are kept, and what it says for comparing it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from server.core.words import english_stem, words
from server.graph.model import Entity, Relation
from server.graph.project.supersession import is_functional
from server.models.offline.clauses import Clause, Token, joined, split, tokenize
from server.models.offline.lexicon import (
    DETERMINERS,
    TASTES,
    UNIQUE_KIN,
    stem_set,
    verb_stem,
    word_set,
)
from server.models.offline.people import (
    PERSON,
    Subject,
    is_personal_name,
    kind_of,
    read_subject,
    related,
)
from server.models.offline.phrases import Complement, Item, read_complement, read_name
from server.models.offline.relations import stated
from server.models.offline.rewriting import Speaker, attributed, third_person_text
from server.models.offline.statements import Statement, Who, read_statement

_FILLERS = word_set("a an the really very also just still currently now so too")


@dataclass(frozen=True)
class Fact:
    """What a clause says, and in which words it is kept.

    `relations` are those that it states, `ends` those that it says are over; an end without a
    target ends any. A qualified fact holds on some occasions, or for one thing beside others: it
    neither replaces another fact nor takes one back.
    """

    text: str
    statement: Statement
    subject: Subject
    complement: Complement
    relations: tuple[Relation, ...]
    ends: tuple[tuple[str, str], ...]
    is_qualified: bool

    @property
    def is_retraction(self) -> bool:
        """Whether it says that something is not so, or not any longer."""
        return self.statement.is_denied or self.statement.is_over or bool(self.ends)

    @property
    def is_dated(self) -> bool:
        """Whether it tells of a move or a change in a year that it names."""
        return self.statement.is_past and bool(_IN_A_YEAR.search(self.text))

    def without_slots(self) -> Fact:
        """The fact without the relations of which there is one at a time."""
        kept = tuple(r for r in self.relations if not is_functional(r.relation))
        return replace(self, relations=kept)

    def shares_subject(self, other: Fact) -> bool:
        """Whether both are about the same."""
        return not self.subject.names.isdisjoint(other.subject.names)

    def shares_verb(self, other: Fact) -> bool:
        """Whether both have one verb, with the same words that go with it."""
        one, two = self.statement.stem, other.statement.stem
        return one == two and self.complement.lead == other.complement.lead

    def values(self, relation: str) -> frozenset[str]:
        """The keys of what it relates to in this way."""
        return frozenset(r.target.key for r in self.relations if r.relation == relation)

    @property
    def is_role(self) -> bool:
        """Whether it tells what somebody is or works as: `a nurse`, `a partner at KPMG`."""
        words = [token.lower for token in self.statement.rest]
        is_named = "as" in words or (self.statement.stem == "be" and words[:1] != ["at"])
        return bool(self.values("works_as")) or (is_named and bool(self.values("works_at")))

    @property
    def new_kin(self) -> str:
        """What somebody is of whom it says that they are there now: `I have a new boss, Tom`."""
        words = [token.lower for token in self.statement.rest[:3]]
        is_had = self.statement.stem in _HAVING and words[:2] == ["a", "new"]
        kind = kind_of(words[-1]) if words[2:] else None
        return words[2] if is_had and self.relations and kind and kind[1] == PERSON else ""

    @property
    def tells_which(self) -> bool:
        """Whether it tells which one something is, and not only how: `my car is a Tesla`."""
        if self.subject.kin:
            return self.tells_name
        rest = self.statement.rest
        is_kind = bool(rest) and rest[0].lower in {"a", "an", "the", "called", "named"}
        return is_kind or any(token.is_name or token.text[0].isdigit() for token in rest)

    @property
    def tells_name(self) -> bool:
        """Whether it tells the name of somebody who had none: `my mom's name is Helga`."""
        relations = self.subject.relations
        return bool(self.relations and relations) and not set(relations) & set(self.relations)

    def mentioned(self) -> Iterator[tuple[str, str]]:
        """The names after the verb that may be a person's, each with the word before it."""
        others = {
            relation.target.key
            for relation in self.relations
            if relation.target.type != PERSON and relation.relation not in _WITH_PEOPLE_TOO
        }
        rest = self.statement.rest
        place = 0
        while place < len(rest):
            name = read_name(rest, place) if rest[place].is_name else None
            before = rest[place - 1].lower if place else ""
            if (
                name
                and before not in _NOT_BEFORE_PEOPLE
                and is_personal_name(name[0])
                and Entity(name[0]).key not in others
            ):
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
        """The things that it lists, folded."""
        return frozenset(item.text.casefold() for item in self.complement.items)

    @cached_property
    def slots(self) -> dict[str, str]:
        """The functional relations of its subject, and the key of the value of each."""
        found = {
            relation.relation: relation.target.key
            for relation in self.relations
            if is_functional(relation.relation) and relation.source.key in self.subject.names
        }
        if self.subject.kin in UNIQUE_KIN and self.statement.stem == "be":
            for relation in self.relations:
                if relation not in self.subject.relations and relation.target == self.subject.owner:
                    found[self.subject.kin] = relation.source.key
        if found.keys() & _PARTNERS and "marital_status" not in found:
            found["marital_status"] = "married"
        return found


_HAVING = stem_set("have get")
_WITH_PEOPLE_TOO = word_set("visited likes loves dislikes enjoys prefers teaches")
_NOT_BEFORE_PEOPLE = DETERMINERS | word_set("in at near on")
_PARTNERS = frozenset({"married_to", "engaged_to"})
_IN_A_YEAR = re.compile(r"\bin (?:\w+ )?\d{4}\b")
_MONTH = r"(?:jan|feb|mar|apr|may|june?|july?|aug|sep|oct|nov|dec)\w*"
_NEUTRAL = re.compile(
    rf"""(?:[\s,;()]*(?:
        now|currently|today|yesterday|again|already|recently|nowadays|anymore|any\ (?:more|longer)
      | these\ days|at\ the\ moment|so\ far|away|instead|officially|finally
      | last\ (?:night|week|month|year|spring|summer|autumn|fall|winter|\w+day|{_MONTH})
      | this\ (?:year|morning|spring|summer)|(?:in\ )?(?:\d{{4}}|early\ \d{{4}}|late\ \d{{4}})
      | (?:in|on|since)\ (?:\d{{1,2}}\ )?{_MONTH}(?:\ \d+)*|since\ [^,;]+|for\ \w+\ years?
      | \w+\ (?:days?|weeks?|months?|years?)\ ago|\(?\d{{4}}-\d{{2}}(?:-\d{{2}})?\)?
      | as\ (?:an?|the)\ [\w\ -]+?(?=$|,|\ in\b|\ since\b)|years?\ old|tall
      | with\ (?:my|their|our)\ [\w\ ]+|(?:named|called)\ [\w\ '-]+|because\ .+|and\ .+
    ))*[\s,;().]*""",
    re.VERBOSE,
)
_PLACE_TAIL = re.compile(r"(?:, |in |near |to |from |at )(?=[A-Z])[\w ,'-]+")
_SEASON = re.compile(
    r"(?i)\b(?:summer|winter|spring|autumn|fall|weekends?|mornings?|evenings?|\w+days?|may|june|july|january|february|march|april|august|\w+ber)\b"
)
_LEAVING = stem_set("leave quit resign fire lay retire")
_JOB_WORDS = frozenset({"job", "work", "position", "company"})
_SPLITTING = stem_set("break split separate divorce")


def read_fact(
    clause: Clause, speaker: Speaker, meant: Subject | None, *, casual: bool
) -> Fact | None:
    """The fact in a clause; None if it asserts none, or it is not clear about whom."""
    statement = read_statement(clause)
    subject = read_subject(statement, speaker, meant) if statement else None
    if statement is None or subject is None:
        return None
    complement = read_complement(statement.rest, after_be=statement.stem == "be")
    subjects = (subject, *_companions(statement, speaker, subject))
    if statement.who is Who.NAMED and len(subjects) > 1:
        subjects = subjects[1:]
    is_qualified = _is_qualified(statement, complement)
    positive = replace(statement, is_denied=False, is_over=False, is_planned=False)
    ends: list[tuple[str, str]] = []
    relations: list[Relation] = list(stated(statement, subjects, complement, casual=casual))
    if (statement.is_denied or statement.is_over) and not (is_qualified or statement.is_ability):
        ends = [
            (r.relation, r.target.key)
            for r in stated(positive, (subject,), complement, casual=casual)
            if r not in relations and r not in subject.relations
        ]
    if statement.is_over or (statement.is_denied and is_qualified):
        relations = [r for s in subjects for r in s.relations]
    if is_qualified:
        relations = [r for r in relations if not is_functional(r.relation)]
    ends += _ends(statement, complement)
    if _is_neither(statement):
        ends, relations = [], []
    else:
        relations += _of_whom(statement, speaker, casual=casual)
    text = third_person_text(statement, speaker, subject.text)
    if text is None:
        text = attributed(joined(clause.tokens), speaker)
    return Fact(_introduction(text, relations, speaker), statement, subject, complement,
                tuple(dict.fromkeys(relations)), tuple(ends), is_qualified)  # fmt: skip


@lru_cache(maxsize=4_096)
def facts_of(text: str, speaker: Speaker) -> tuple[Fact, ...]:
    """The facts that a memory holds, so far as they can be told apart."""
    said = text.removeprefix(attributed("", speaker))
    found = (read_fact(clause, speaker, None, casual=False) for clause in split(tokenize(said)))
    return tuple(fact for fact in found if fact is not None)


def without_items(fact: Fact, gone: Sequence[Item]) -> str | None:
    """The text of the fact without some of the things that it lists; None if none is left."""
    items = fact.complement.items
    kept = [item.text for item in items if item not in gone]
    start = fact.text.find(items[0].text) if items else -1
    last = fact.text.find(items[-1].text, start) if items else -1
    if not kept or start < 0 or last < 0:
        return None
    listed = " and ".join([", ".join(kept[:-1]), kept[-1]] if kept[1:] else kept)
    return fact.text[:start] + listed + fact.text[last + len(items[-1].text) :]


def content_stems(text: str) -> frozenset[str]:
    """The stems of the words of a text; verbs in all their forms have one."""
    return frozenset(verb_stem(word.lower().removesuffix("'s")) for word in words(text))


def gerund_item(fact: Fact, stem: str) -> Item | None:
    """The thing that a fact such as `likes drinking coffee` says is done in the way of the verb."""
    if fact.statement.stem not in TASTES:
        return None
    for item in fact.complement.items:
        first = (words(item.text) or [""])[0]
        if first.endswith("ing") and english_stem(first) == stem:
            return item
    return None


def _companions(statement: Statement, speaker: Speaker, subject: Subject) -> Sequence[Subject]:
    """The others of `my wife and I`, where they are people with a name for them."""
    tokens = statement.subject_tokens
    if statement.who is Who.NAMED and any(token.lower == "and" for token in tokens):
        names = [n for n in joined(tokens).split(" and ") if n != subject.text]
        people = [Entity(name, PERSON) for name in names]
        return [Subject(p.name, p, subject.owner, frozenset({p.key})) for p in people]
    if statement.who is not Who.GROUP or len(tokens) < 2 or _is_neither(statement):  # noqa: PLR2004
        return ()
    place = next((p for p, token in enumerate(tokens) if kind_of(token.lower)), None)
    if place is None:
        return ()
    kind = kind_of(tokens[place].lower)
    assert kind is not None
    noun = Entity(f"{speaker.possessive} {tokens[place].lower}", kind[1])
    return (Subject(noun.name, noun, subject.owner, frozenset({noun.key}), tokens[place].lower,
                    relations=(related(subject.owner, kind[0], noun),)),)  # fmt: skip


def _of_whom(statement: Statement, speaker: Speaker, *, casual: bool) -> list[Relation]:
    """What a relative clause states: `a brother named Tom who lives in Rome`."""
    rest = statement.rest
    place = next((p for p, token in enumerate(rest) if p and token.lower == "who"), None)
    if place is None or not rest[place - 1].is_name or statement.is_denied:
        return []
    tokens = (rest[place - 1], *rest[place + 1 :])
    clause = Clause(tokens, tokens[0].start, tokens[-1].end, is_whole=False, joined_by="who")
    fact = read_fact(clause, speaker, None, casual=casual)
    return list(fact.relations) if fact else []


def _is_neither(statement: Statement) -> bool:
    return statement.subject_tokens[0].lower in {"neither", "either", "no"}


def _is_qualified(statement: Statement, complement: Complement) -> bool:
    if statement.is_limited:
        return True
    return not (_is_neutral(statement.fronted) and _is_neutral(complement.tail))


def _is_neutral(tokens: Sequence[Token]) -> bool:
    """Whether the words around a fact only say since when, where or how it is so for good."""
    text = joined(tokens)
    if not text:
        return True
    if _PLACE_TAIL.search(text) and not _SEASON.search(text):
        text = _PLACE_TAIL.sub(" ", text)
    return bool(_NEUTRAL.fullmatch(text.lower()))


def _ends(statement: Statement, complement: Complement) -> list[tuple[str, str]]:
    """What is over by what the verb says: a job that was quit, a marriage that was divorced."""
    if statement.is_denied or statement.is_planned or statement.is_limited:
        return []
    words_ = [token.lower for token in statement.rest]
    stem = statement.stem
    if stem in {"be", "get"} and words_[:1] in (["fired"], ["laid"]):
        return [("works_at", "")]
    if stem in _LEAVING:
        if stem == english_stem("retire") or _JOB_WORDS & set(words_):
            target = next((t.text for t in statement.rest if t.is_name), "")
            return [("works_at", target.casefold())]
        return [("works_at", item.text.casefold()) for item in complement.items]
    if stem in _SPLITTING:
        return [("dates", ""), ("engaged_to", ""), ("married_to", "")]
    return []


def _introduction(text: str, relations: Sequence[Relation], speaker: Speaker) -> str:
    """`User is Alice` says more clearly what it means as `User's name is Alice`."""
    for relation in relations:
        if relation.relation == "named" and text == f"{speaker.name} is {relation.target.name}":
            return f"{speaker.possessive} name is {relation.target.name}"
    return text
