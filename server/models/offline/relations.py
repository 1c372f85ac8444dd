"""Finds the relations that an asserted clause states, and the aliases in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from server.core.patterns import data_file
from server.graph.model import Entity, Relation, entity_key
from server.models.offline import lexicon
from server.models.offline.clauses import Clause
from server.models.offline.lexicon import KINSHIP, kind_of, listed, pairs, pattern, stems, word_set
from server.models.offline.people import Subject, attribute_named, related
from server.models.offline.tokens import Token, lowered, read_name
from server.models.offline.verbs import Sense

_RULES = data_file(lexicon.PACKAGE, "rules")
_NAMED = [(pattern.compiled(r["before"]), r["relation"], r["type"]) for r in _RULES["name"]]
_STATES = [
    (pattern.compiled(r["phrase"]), r["relation"], r.get("type", "")) for r in _RULES["state"]
]
_RELATING = {lexicon.verb_stem(verb): verb for verb in listed("relating")}
_SAME_RELATION, _DENIED = pairs("same_relation"), pairs("denied")
_LEADS = {"allergic to": "allergic_to", "fan of": "likes"}
_NATIONALITIES, _STREETS = listed("nationalities"), listed("streets")
_NOT_PLACES = frozenset().union(*lexicon.lists("one_at_a_time").values())
_PAST_MEANS_OVER = stems("live reside work intern study come")
_LASTING = word_set("since for always all now")
_HAVING = stems("have adopt get rescue buy own")
_NAMES_WITHIN = 10
_VALUES = {"email": "@", "works_at": r"[A-Z\d]", "lives_in": "[A-Z]"} | dict.fromkeys(
    ("phone_number", "age", "height", "weight", "birthday", "anniversary"), r"\d"
)
"""Patterns of values, where known."""


def relations_of(
    clause: Clause, subject: Subject, lead: str, items: Sequence[str]
) -> Iterator[Relation]:
    """Yields the relations of its subject that an asserted clause states."""
    yield from tuple(_introduced(clause, subject)) or subject.relations
    if attribute := attribute_named(subject.noun):
        about, found = subject.owner, _value(clause, attribute, lead, items)
    else:
        about, found = subject.entity, _targets(clause, subject, lead, items)
    for relation, target in found:
        if target.key not in {"", about.key}:
            yield Relation(about, relation, target)


def _value(
    clause: Clause, attribute: str, lead: str, items: Sequence[str]
) -> Iterator[tuple[str, Entity]]:
    """Yields an attribute: `my favourite colour is blue`."""
    if attribute == "job" and lead in {"at", "with"}:
        attribute = "works_at"
    is_over = clause.is_former or Sense.RETRACTED & clause.sense
    is_told = clause.stem in {"be", "chang"} and not is_over
    if is_told and items and re.search(_VALUES.get(attribute, r"\S"), items[0]):
        yield attribute, Entity(items[0])


def _targets(
    clause: Clause, subject: Subject, lead: str, items: Sequence[str]
) -> Iterator[tuple[str, Entity]]:
    sense = clause.sense
    is_unheld = sense & (Sense.RETRACTED | Sense.PLANNED | Sense.ABILITY)
    if not (is_unheld or clause.is_former):
        yield from _named(clause, subject)
        if subject.is_somebody:
            yield from _being(clause)
    relation = next((_LEADS[known] for known in _LEADS if lead.endswith(known)), "")
    if clause.stem in _RELATING and not lead:
        relation = lexicon.third_person(_RELATING[clause.stem])
        relation = _SAME_RELATION.get(relation, relation)
    if Sense.OVER in sense:
        return
    if Sense.DENIED in sense:
        relation = _DENIED.get(relation, "")
    elif Sense.ABILITY in sense and relation != "speaks":
        return
    elif Sense.PLANNED in sense and clause.stem not in lexicon.DISTASTES:
        return
    for item in items if relation else ():
        yield relation, Entity(item, "language" if relation == "speaks" else "")


def _named(clause: Clause, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """Yields the relations to names after the verb, the first of each kind."""
    rest, words = clause.rest, lowered(clause.rest)
    sense = clause.sense
    is_lasting = Sense.PROGRESSIVE in sense or not _LASTING.isdisjoint(lowered(clause.tokens))
    is_event = Sense.PAST in sense and not (Sense.PERFECT in sense and is_lasting)
    if is_event and clause.stem in _PAST_MEANS_OVER:
        return  # `I worked at Acme.`
    found: dict[str, Entity] = {}
    for place in range(min(len(rest), _NAMES_WITHIN)):
        name = read_name(rest, place)
        if name is None:
            continue
        before = " ".join([clause.stem, *words[:place]])
        for pattern_before, relation, kind in _NAMED:
            if relation in found or not pattern_before.fullmatch(before):
                continue
            if kind == "place" and name[0].lower() in _NOT_PLACES:
                continue
            is_street = name[0].split()[-1].lower() in _STREETS and relation == "lives_in"
            found["address" if is_street else relation] = Entity(name[0], kind)
    if subject.noun:
        found.pop("named", None)
    yield from found.items()


def _being(clause: Clause) -> Iterator[tuple[str, Entity]]:
    """Yields relations of `I am a nurse`, `I am vegan`, `I am 30` and `I turned 30`."""
    phrase = clause.phrase
    for known, relation, kind in _STATES:
        if state := known.fullmatch(phrase):
            yield relation, Entity(state.group(1), kind)


def _introduced(clause: Clause, subject: Subject) -> Iterator[Relation]:
    """Yields who is introduced: `I have a sister named Ana`, `Ana is my sister`, `I am Ana`."""
    rest = clause.rest
    while rest and rest[-1].lower in lexicon.ADVERBS:
        rest = rest[:-1]
    if not rest or clause.sense & (Sense.RETRACTED | Sense.PLANNED):
        return
    if clause.stem in _HAVING and subject.is_somebody:
        yield from _possessions(rest, subject.entity)
    elif clause.stem == "be":
        start = int(rest[0].lower in {"called", "named"})
        name = read_name(rest, start)
        is_name = name and name[1] == len(rest) and name[0].lower() not in _NATIONALITIES
        kind = kind_of(rest[-1].lower) if rest[0].lower in {"my", "our", "his", "her"} else None
        if subject.relations and name and is_name:
            named = Entity(name[0], subject.entity.type)
            for relation in subject.relations:
                yield related(subject.owner, relation.relation, named)
        elif subject.entity == subject.owner and name and is_name and not start:
            yield Relation(subject.entity, "named", Entity(name[0], "person"))
        elif kind and subject.entity != subject.owner:
            yield related(subject.owner, kind[0], subject.entity)


def _possessions(rest: Sequence[Token], owner: Entity) -> Iterator[Relation]:
    """Yields people and animals: `a friend Mikkel`, `two dogs, Rex and Luna`."""
    words = lowered(rest)
    place = next((p for p, word in enumerate(words[:5]) if kind_of(word)), None)
    kind = kind_of(words[place]) if place is not None else None
    if place is None or kind is None or any("'s" in word for word in words[:place]):
        return
    noun, names = words[place], []
    while True:
        place += 1
        while place < len(rest) and words[place] in {",", "and", "named", "called", "&"}:
            place += 1
        name = read_name(rest, place)
        if name is None:
            break
        names.append(name[0])
        place = name[1] - 1
    if not names and kind[1] == "animal":
        names = [noun if noun in lexicon.PETS else noun[:-1]]
    for each in names:
        yield related(owner, kind[0], Entity(each, kind[1]))


# People have only one or few of these; with two of them the words are ambiguous and join neither.
_OWN = KINSHIP.keys() - listed("several_kin") | word_set("sister brother son daughter twin")
_KNOWN_AS, _RELATIVE = pattern("known_as"), pattern("relative")


def find_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the aliases of each entity in the text, by the key of its name."""
    pairs_found = [_longer_first(match[1], match[2]) for match in _KNOWN_AS.finditer(text)]
    pairs_found += [(m[3], m[1]) for m in _RELATIVE.finditer(text) if m[2] in _OWN]
    found: dict[str, dict[str, None]] = {}
    for name, alias in pairs_found:
        found.setdefault(entity_key(name), {})[alias] = None
    return {key: tuple(aliases) for key, aliases in found.items()}


def _longer_first(one: str, other: str) -> tuple[str, str]:
    """Returns the entity's own name, the longer one, and its alias."""
    name, alias = sorted((one, other), key=lambda it: (-len(it.split()), -len(it), it))
    return name, alias
