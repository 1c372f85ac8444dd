"""What a new fact does to what is known: nothing, add to it, replace one memory or end it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum, auto

from server.adapters.offline.facts import Fact, RelationKey
from server.adapters.offline.words import word_set

FUNCTIONAL = frozenset(
    {"lives_in", "named", "born_in", "birthday", "birthplace", "hometown", "address", "phone",
     "email", "nickname", "surname", "phone_number", "engaged_to"}
)  # fmt: skip
"""Relations of which there is one at a time, so that a new value replaces the old one."""

REPLACEABLE = frozenset(
    {"works_at", "works_as", "studies_at", "studies", "follows_diet", "married_to", "dating",
     "drives", "car", "job", "occupation", "profession", "employer", "major"}
)  # fmt: skip
"""Relations of which there may be several; a new value replaces the old one if it says so."""

_FAVORITE = "favorite_"
_CUE = re.compile(
    r"\b(?:now|nowadays|no longer|anymore|any more|instead|switched|changed|joined|new|promoted"
    r"|started|hired|moved|became|went)\b",
    re.IGNORECASE,
)
_LONG_AGO = re.compile(
    r"\b(?:in (?:19|20)\d\d|when User was|as a (?:child|kid|teenager)|years ago|originally"
    r"|used to|once)\b"
)
_STATED_BY_RELATIONS = word_set(
    "lives living moved relocated works working joined in to at for is and has"
)
_OPPOSITES = (frozenset({"likes", "loves"}), frozenset({"dislikes"}))


class Effect(Enum):
    """What a fact does to what is known."""

    NOTHING = auto()
    ADD = auto()
    REPLACE = auto()
    END = auto()


def effect(fact: Fact, known: Sequence[Fact | None]) -> tuple[Effect, int | None]:
    """What the fact does, and to which of the known ones (REPLACE and END), by place.

    A place that holds None stands for a fact that must not be changed. Only a fact of the same
    subject and relation can be replaced or ended, only if it states nothing else that would be
    lost, and only if it is the one such fact.
    """
    touched = [
        place for place, other in enumerate(known) if other is not None and _changes(fact, other)
    ]
    ended = [place for place in touched if _ends(fact, known[place])]
    for places in (ended, touched):
        if len(places) == 1:
            return (Effect.END if _only_ends(fact) else Effect.REPLACE), places[0]
    return Effect.ADD, None


def repeats(fact: Fact, other: Fact) -> bool:
    """Whether the fact says nothing that the other does not say."""
    if fact.digest == other.digest or (fact.gist == other.gist and fact.stated == other.stated):
        return True
    is_stated = bool(fact.stated) and fact.stated <= other.stated
    return is_stated and set(fact.gist) <= _STATED_BY_RELATIONS.union(other.gist)


def _changes(fact: Fact, other: Fact) -> bool:
    """Whether the other fact does not hold, or not so, if the new one does; and all of it."""
    if _denies(fact, other):
        return True
    changed = {key for key in other.stated if _replaces(fact, key) or fact.ends(key)}
    return bool(changed) and other.stated - changed <= fact.stated


def _ends(fact: Fact, other: Fact | None) -> bool:
    return other is not None and (
        _denies(fact, other) or any(fact.ends(key) for key in other.stated)
    )


def _denies(fact: Fact, other: Fact) -> bool:
    """Whether the fact is the other one's denial, word for word."""
    return bool(fact.negates) and not other.negates and fact.negates == other.stems


def _replaces(fact: Fact, old: RelationKey) -> bool:
    source, relation, target = old
    for new_source, new_relation, new_target in fact.stated:
        if new_source != source:
            continue
        if new_target == target and _opposed(new_relation, relation):
            return True
        if new_relation == relation and new_target != target and _has_one(fact, relation):
            return not any(key == old for key in fact.stated)
    return False


def _has_one(fact: Fact, relation: str) -> bool:
    """Whether the fact's value of the relation takes the place of another."""
    if _LONG_AGO.search(fact.text):
        return False
    if relation in FUNCTIONAL or relation.startswith(_FAVORITE):
        return True
    return relation in REPLACEABLE and bool(_CUE.search(fact.text))


def _opposed(one: str, other: str) -> bool:
    likes, dislikes = _OPPOSITES
    return (one in likes and other in dislikes) or (one in dislikes and other in likes)


def _only_ends(fact: Fact) -> bool:
    """Whether the fact says that something is over, and nothing instead."""
    return not fact.stated and "used to" not in fact.text
