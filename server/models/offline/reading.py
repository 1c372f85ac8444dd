"""Reads the fact in a clause, and pronouns such as `she` if only one person can be meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from server.graph.model import Entity
from server.graph.project.supersession import is_functional
from server.models.offline import lexicon
from server.models.offline.clauses import Clause, split
from server.models.offline.facts import Fact
from server.models.offline.people import Subject, gender_of, read_subject
from server.models.offline.phrases import Item, read_complement, read_name
from server.models.offline.relations import stated
from server.models.offline.rewriting import Speaker, attributed, third_person_text, tokenize
from server.models.offline.sentences import joined
from server.models.offline.statements import Who, read_statement
from server.models.offline.status import contrast_place, is_qualified, read_contrast

_OWN = frozenset({"my", "our", "their"})


def read_fact(clause: Clause, speaker: Speaker, meant: Subject | None) -> Fact | None:
    """Returns the fact in a clause; None if it asserts none, or its subject is unclear."""
    statement = read_statement(clause)
    own = Entity(speaker.name, speaker.type)
    subject = read_subject(statement, own, meant) if statement else None
    if statement is None or subject is None:
        return None
    contrast = contrast_place(statement.rest)
    after_be = statement.stem in {"be", "get"}
    complement = read_complement(statement.rest[:contrast], after_be=after_be)
    others = read_contrast(statement.rest[contrast:]) if contrast else frozenset()
    qualified = is_qualified(statement, complement)
    relations = list(stated(statement, subject.members or [subject], complement))
    if statement.subject_tokens[0].lower in {"neither", "either", "no"}:
        relations = []
    elif qualified:
        is_averse = statement.is_denied or statement.stem in lexicon.DISTASTES
        relations = [] if is_averse else [r for r in relations if not is_functional(r.relation)]
    text = third_person_text(statement, speaker, subject.text)
    if text is None:
        text = attributed(joined(clause.tokens), speaker)
    known = tuple(dict.fromkeys(relations))
    return Fact(text, statement, subject, complement, known, qualified, others)


@lru_cache(maxsize=8_192)
def facts_of(text: str, speaker: Speaker) -> tuple[Fact, ...]:
    """Returns the facts in a memory, as far as they can be separated."""
    words = text.removeprefix(attributed("", speaker))
    found = (read_fact(clause, speaker, None) for clause in split(tokenize(words)))
    return tuple(fact for fact in found if fact is not None)


def without_items(fact: Fact, gone: Sequence[Item]) -> Fact | None:
    """Returns the fact without some of its items; None if none is left."""
    items = fact.complement.items
    kept = [item for item in items if item not in gone]
    start = fact.text.find(items[0].text) if items else -1
    last = fact.text.find(items[-1].text, start) if items else -1
    if not kept or min(start, last) < 0:
        return None
    before = fact.text[:start]
    if items[0].kind and kept[0] == items[0] and all(item.is_name for item in items[1:]):
        # `We have two dogs, Rex and Luna` becomes `We have Luna`: they are no longer two.
        kept, before = kept[1:], f"{before.rsplit(maxsplit=1)[0]} "
    if not kept:
        return None
    *first, final = (item.text for item in kept)
    listing = " and ".join([", ".join(first), final] if first else [final])
    keys = {item.key for item in gone}
    return replace(
        fact,
        text=before + listing + fact.text[last + len(items[-1].text) :],
        complement=replace(fact.complement, items=tuple(kept)),
        relations=tuple(r for r in fact.relations if r.target.key not in keys),
    )


def parts_of(fact: Fact) -> tuple[Fact, ...]:
    """Returns a fact for each of its joint subjects; () if it cannot be said of one alone.

    `Eva and Tom live in Kiel` becomes `Eva lives in Kiel` and `Tom lives in Kiel`, but `Eva and Tom
    are doctors` does not.
    """
    statement, owner = replace(fact.statement, who=Who.SPEAKER), fact.subject.owner
    said_by = Speaker(owner.name, owner.type)
    if fact.stem == "be" and any(item.text.endswith("s") for item in fact.complement.items):
        return ()
    texts = [third_person_text(statement, said_by, m.text) for m in fact.subject.members]
    parts = [facts_of(text, said_by) for text in texts if text]
    return tuple(part for (part,) in parts) if all(len(p) == 1 for p in parts) else ()


def introduced_by(fact: Fact) -> Iterator[Fact]:
    """Yields who a person is, if a fact says it in passing: `with my husband Ivan`."""
    rest, subject = fact.statement.rest, fact.subject
    as_owner = Speaker(subject.owner.name, subject.owner.type)
    if subject.kin and not subject.entity.name.startswith(as_owner.possessive):
        text = f"{as_owner.possessive} {subject.kin} is {subject.entity.name}"
        yield from facts_of(text, as_owner)
    for place in range(2, len(rest)):
        owner, noun = rest[place - 2].lower, rest[place - 1].lower
        name = read_name(rest, place) if lexicon.kind_of(noun) and owner in _OWN else None
        if name is not None:
            yield from facts_of(f"{as_owner.possessive} {noun} is {name[0]}", as_owner)


class People:
    """The people in the conversation so far, and other names that may be people's."""

    def __init__(self) -> None:
        self._known: dict[str, Subject] = {}
        self._rivals: dict[str, Subject] = {}

    def hear(self, fact: Fact, speaker: str) -> None:
        """Adds the people in a fact.

        A person whose name is stated (`my mom's name is Helga`) is only known by that name from
        then on.
        """
        subject = fact.subject
        if fact.tells_name:
            self._known.pop(subject.entity.key, None)
        elif _is_somebody(subject.entity) and subject.entity.name != speaker:
            self._known.setdefault(subject.entity.key, subject)
        for name, kin in fact.mentioned():
            rival = Subject(name, Entity(name), subject.owner, frozenset(), kin)
            self._rivals.setdefault(rival.entity.key, rival)
        for noun in _unnamed(fact):
            unnamed = Subject(noun, Entity(noun), subject.owner, frozenset(), noun)
            self._rivals.setdefault(noun, unnamed)
        for relation in fact.relations:
            kin = relation.relation.removesuffix("_of")
            for entity in (relation.source, relation.target):
                if _is_somebody(entity) and entity.name != speaker:
                    other = Subject(
                        entity.name, entity, subject.owner, frozenset({entity.key}), kin
                    )
                    self._known.setdefault(entity.key, other)

    def meant(self, pronoun: str) -> Subject | None:
        """Returns the only person that the pronoun can mean, else None."""
        fitting = {
            key: subject
            for key, subject in (self._rivals | self._known).items()
            if gender_of(subject) in lexicon.GENDERS_MEANT[pronoun]
        }
        if len(fitting) != 1 or fitting.keys().isdisjoint(self._known):
            return None
        subject = next(iter(fitting.values()))
        return replace(subject, text=subject.entity.name, relations=())


def _unnamed(fact: Fact) -> Iterator[str]:
    """Yields the nouns for people whom a fact tells of without a name: `Bea has a daughter`."""
    if fact.stem not in lexicon.POSSESSING or set(fact.relations) - set(fact.subject.relations):
        return
    for item in fact.complement.items:
        noun = item.text.split()[-1]
        if noun in lexicon.KINSHIP:
            yield noun


def _is_somebody(entity: Entity) -> bool:
    """Whether it is a person, or an animal with a name."""
    return entity.type == lexicon.PERSON or (
        entity.type == lexicon.ANIMAL and entity.name[:1].isupper()
    )
