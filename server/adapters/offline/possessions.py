"""What belongs to whom: family, friends, pets, names and favourites."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.adapters.offline.phrases import read_name, read_phrase
from server.adapters.offline.vocabulary import (
    ATTRIBUTES,
    JOBS,
    KINSHIP,
    NATIONALITIES,
    PETS,
    SYMMETRIC,
)
from server.domain.graph import Entity, Relation

PERSON = "person"
ANIMAL = "animal"

_ADJECTIVES = (
    "best|good|close|old|older|oldest|younger|youngest|elder|eldest|big|little|late|new|current"
    "|former|twin|dear|only|two|three|four|black|white|golden|small|rescue|pet|lovely|beautiful"
)
_NOUN = rf"(?:(?:{_ADJECTIVES}|\d+(?:-year-old)?) ){{0,3}}([\w\u00e9-]+)"
_HAS_ONE = re.compile(rf"(?:has|adopted|got|rescued|bought) (?:an? )?{_NOUN}", re.IGNORECASE)
_BEING = re.compile(rf"(?:is|was) \S+ {_NOUN}", re.IGNORECASE)
_CALLED = re.compile(r",? (?:named|called|whose name is),? ", re.IGNORECASE)
_APPOSED = re.compile(r",? (?=[A-Z])")
_IS_CALLED = re.compile(r"(?:'s name)? (?:is (?:called |named )?|are (?:called |named )?)(?=[A-Z])")
_FAVORITE = re.compile(
    r"favou?rite ([a-z]+(?: [a-z]+)?) (?:is|are|has always been) ", re.IGNORECASE
)
_ATTRIBUTE = re.compile(
    r"([a-z]+(?: (?:name|number))?) (?:is|are)(?: on| at| from)? ", re.IGNORECASE
)
_IS_NAMED = re.compile(r"is (?=[A-Z])")
_AFTER_A_NAME = re.compile(r"$|[,.;(]| (?:and|but|from|by)\b")
_AND_NAME = re.compile(r" (?:and|&) (?=[A-Z])")


@dataclass(frozen=True, slots=True)
class Possession:
    """What a phrase such as `Anna's brother Tom` names, what that states, and where it ends."""

    subject: Entity | None
    relations: tuple[Relation, ...]
    end: int


def read_owned(text: str, owner: Entity) -> Possession | None:
    """What the text, which follows `owner's`, names and states."""
    favorite = _FAVORITE.match(text)
    if favorite:
        relation = "favorite_" + favorite.group(1).replace(" ", "_").lower()
        return _attribute(text, favorite.end(), owner, relation)
    noun = re.match(_NOUN, text, re.IGNORECASE)
    if noun is None:
        return None
    kind = _kind(noun.group(1))
    if kind is not None:
        return _member(text, noun, owner, kind)
    attribute = _ATTRIBUTE.match(text)
    if attribute and attribute.group(1).lower() in {"name", "full name"}:
        return _attribute(text, attribute.end(), owner, "named")
    if attribute and attribute.group(1).split()[0].lower() in ATTRIBUTES:
        relation = attribute.group(1).replace(" ", "_").lower()
        return _attribute(text, attribute.end(), owner, relation)
    return None


def read_having(text: str, owner: Entity) -> Possession | None:
    """What `has a sister named Anna` states of the owner."""
    having = _HAS_ONE.match(text)
    kind = _kind(having.group(1)) if having else None
    if having is None or kind is None:
        return None
    called = _CALLED.match(text, having.end()) or _APPOSED.match(text, having.end())
    position = called.end() if called else having.end()
    names, end = _names(text, position) if called else ([], position)
    things = [Entity(name, kind.type) for name in names]
    if not things and kind.type == ANIMAL:
        things, end = [Entity(kind.noun, ANIMAL)], having.end()
    if not things:
        return None
    return Possession(things[0], tuple(kind.relation(owner, thing) for thing in things), end)


def read_introduction(text: str, speaker: Entity) -> Possession | None:
    """What `is Alice` states of the speaker: a name."""
    being = _IS_NAMED.match(text)
    name = read_name(text[being.end() :]) if being else None
    if being is None or name is None or not _is_personal_name(name[0]):
        return None
    end = being.end() + name[1]
    if not _AFTER_A_NAME.match(text, end):
        return None
    return Possession(None, (Relation(speaker, "named", Entity(name[0], PERSON)),), end)


def _is_personal_name(name: str) -> bool:
    """Whether a capitalized word after `is` can be a name, and is no nationality or occupation."""
    return not any(word.lower() in NATIONALITIES | JOBS for word in name.split())


def read_being(
    text: str, subject: Entity, owners: frozenset[str], owner: Entity
) -> Possession | None:
    """What `is User's sister` states of the subject; `owners` are the words for the owner."""
    being = _BEING.match(text)
    if being is None or text.split(" ", 2)[1] not in owners:
        return None
    kind = _kind(being.group(1))
    if kind is None:
        return None
    return Possession(subject, (kind.relation(owner, subject),), being.end())


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of person or animal that somebody has."""

    noun: str
    type: str
    name: str

    def relation(self, owner: Entity, thing: Entity) -> Relation:
        from_owner = self.type == ANIMAL or self.name in SYMMETRIC
        return (
            Relation(owner, self.name, thing) if from_owner else Relation(thing, self.name, owner)
        )


def _kind(noun: str) -> _Kind | None:
    noun = noun.lower()
    for word in (noun, noun.removesuffix("s"), noun.removesuffix("ren")):
        if word in KINSHIP:
            return _Kind(word, PERSON, KINSHIP[word])
        if word in PETS:
            return _Kind(word, ANIMAL, "has_pet")
    return None


def _member(text: str, noun: re.Match[str], owner: Entity, kind: _Kind) -> Possession:
    """A relative, friend or pet, by name if the text gives one: `wife Anna`, `wife is Anna`."""
    position = noun.end()
    naming = _IS_CALLED.match(text, position)
    called = naming or _CALLED.match(text, position) or _APPOSED.match(text, position)
    names: list[str] = []
    if called:
        names, position = _names(text, called.end())
    if naming and names and not _is_personal_name(names[0]):
        names, position = [], noun.end()
    if not names:
        thing = Entity(f"{owner.name}'s {noun.group().lower()}", kind.type)
        return Possession(thing, (kind.relation(owner, thing),), noun.end())
    things = [Entity(name, kind.type) for name in names]
    return Possession(things[0], tuple(kind.relation(owner, thing) for thing in things), position)


def _names(text: str, position: int) -> tuple[list[str], int]:
    """Names joined by `and`, and where they end."""
    found: list[str] = []
    while True:
        name = read_name(text[position:])
        if name is None:
            return found, position
        found.append(name[0])
        position += name[1]
        joined = _AND_NAME.match(text, position)
        if joined is None:
            return found, position
        position = joined.end()


def _attribute(text: str, position: int, owner: Entity, relation: str) -> Possession | None:
    value = read_name(text[position:]) or read_phrase(text[position:])
    if value is None:
        return None
    kind = PERSON if relation == "named" else ""
    return Possession(
        None, (Relation(owner, relation, Entity(value[0], kind)),), position + value[1]
    )
