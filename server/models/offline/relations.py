"""Finds the relations that an asserted clause states, and the aliases in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from server.graph.model import Entity, Relation, entity_key
from server.models.offline import lexicon
from server.models.offline.lexicon import KINSHIP, listed, pattern, rules, stems, word_set
from server.models.offline.people import Subject, introduced
from server.models.offline.phrases import Complement, read_name
from server.models.offline.sentences import lowered
from server.models.offline.statements import Statement

_NAMED, _STATES = rules("name"), rules("state")
_RELATING = {lexicon.verb_stem(verb): verb for verb in listed("relating")}
_SAME_RELATION = lexicon.pairs("same_relation")
_LEADS = {"allergic to": "allergic_to", "fan of": "likes"}
_DENIED = lexicon.pairs("denied")
_NAMES_WITHIN = 10
"""The maximum number of words between the verb and a name."""

_STREETS = listed("streets")
_NOT_PLACES = frozenset().union(*lexicon.lists("one_at_a_time").values())
_PAST_MEANS_OVER = stems("live reside work intern study come")
_LASTING = word_set("since for always all now")
_TELLING_VALUES = stems("be change")
_ANY = re.compile(r"\S")
_VALUES = {
    "email": re.compile("@"),
    "works_at": re.compile(r"[A-Z\d]"),
    "lives_in": re.compile("[A-Z]"),
} | dict.fromkeys(
    ("phone_number", "age", "height", "weight", "birthday", "anniversary"), re.compile(r"\d")
)
"""Patterns of values, where known."""


def stated(
    statement: Statement, subjects: Sequence[Subject], complement: Complement
) -> Iterator[Relation]:
    """Yields the relations of its subjects that an asserted clause states."""
    for subject in subjects:
        yield from tuple(introduced(statement, subject)) or subject.relations
        found = _attributes(statement, subject, complement)
        if not subject.attribute:
            found = [*found, *_targets(statement, subject, complement)]
        for relation, target in found:
            about = subject.owner if subject.attribute else subject.entity
            if target.key not in {"", subject.entity.key}:
                yield Relation(about, relation, target)


def _attributes(
    statement: Statement, subject: Subject, complement: Complement
) -> list[tuple[str, Entity]]:
    """Returns attributes: `my favourite colour is blue`."""
    relation = subject.attribute
    if relation == "job" and complement.lead in {"at", "with"}:
        relation = "works_at"
    is_told = statement.stem in _TELLING_VALUES and not (
        statement.is_retraction or statement.is_former
    )
    value = complement.items[0].text if is_told and complement.items else ""
    is_value = relation and _VALUES.get(relation, _ANY).search(value)
    return [(relation, Entity(value))] if is_value else []


def _targets(
    statement: Statement, subject: Subject, complement: Complement
) -> Iterator[tuple[str, Entity]]:
    is_held = not (statement.is_retraction or statement.is_planned or statement.is_ability)
    if is_held:
        yield from _named(statement, subject)
        if subject.is_somebody:
            yield from _being(statement)
    relation = next((_LEADS[lead] for lead in _LEADS if complement.lead.endswith(lead)), "")
    if statement.stem in _RELATING and not complement.lead:
        relation = lexicon.third_person(_RELATING[statement.stem])
        relation = _SAME_RELATION.get(relation, relation)
    is_intended = statement.is_planned and statement.stem not in lexicon.DISTASTES
    if statement.is_denied and not statement.is_over:
        relation = _DENIED.get(relation, "")
    elif statement.is_over or is_intended or (statement.is_ability and relation != "speaks"):
        relation = ""
    if relation:
        for item in complement.items:
            yield relation, Entity(item.text, "language" if relation == "speaks" else "")


def _named(statement: Statement, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """Yields the relations to names after the verb, the first of each kind."""
    rest, words = statement.rest, lowered(statement.rest)
    known = _NAMED.get(statement.stem, ())
    if not known or statement.is_former or _has_been(statement):
        return
    within = range(min(len(rest), _NAMES_WITHIN))
    places = [place for place in within if read_name(rest, place, several=True)]
    found: dict[str, Entity] = {}
    for rule in known:
        (relation,) = rule.relations
        for place in places:
            name = read_name(rest, place, several=rule.type == "organization")
            if name is None or (rule.type == "place" and name[0].lower() in _NOT_PLACES):
                continue
            if relation in found or not rule.lead.fullmatch(" ".join(words[:place])):
                continue
            is_home = relation == "lives_in"
            if is_home and name[0].split()[-1].lower() in _STREETS:
                found["address"] = Entity(name[0], rule.type)
            elif not (is_home and words[place - 1 : place] == ["on"]):
                found[relation] = Entity(name[0], rule.type)
    if subject.kin:
        found.pop("named", None)
    yield from found.items()


def _has_been(statement: Statement) -> bool:
    """Whether it states where somebody lived or worked once: `I worked at Acme`."""
    is_lasting = statement.is_progressive or not _LASTING.isdisjoint(lowered(statement.tokens))
    is_event = statement.is_past and not (statement.is_perfect and is_lasting)
    return is_event and statement.stem in _PAST_MEANS_OVER


def _being(statement: Statement) -> Iterator[tuple[str, Entity]]:
    """Yields relations of `I am a nurse`, `I am vegan`, `I am 30` and `I turned 30`."""
    words = lowered(statement.rest)
    if statement.is_former:
        return
    for rule in _STATES.get(statement.stem, ()):
        if state := rule.rest.fullmatch(" ".join(words)):
            yield rule.relations[0], Entity(state.group(1), rule.type)


# People have only one or few of these; with two of them the words are ambiguous and join neither.
_OWN = KINSHIP.keys() - listed("several_kin") | word_set("sister brother son daughter twin")
_KNOWN_AS, _RELATIVE = pattern("known_as"), pattern("relative")


def find_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the aliases of each entity in the text, by the key of its name."""
    pairs = [_longer_first(match[1], match[2]) for match in _KNOWN_AS.finditer(text)]
    pairs += [(match[3], match[1]) for match in _RELATIVE.finditer(text) if match[2] in _OWN]
    found: dict[str, dict[str, None]] = {}
    for name, alias in pairs:
        found.setdefault(entity_key(name), {})[alias] = None
    return {key: tuple(aliases) for key, aliases in found.items()}


def _longer_first(one: str, other: str) -> tuple[str, str]:
    """Returns the entity's own name, the longer one, and its alias."""
    name, alias = sorted((one, other), key=lambda it: (-len(it.split()), -len(it), it))
    return name, alias
