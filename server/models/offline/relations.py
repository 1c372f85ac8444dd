"""Finds the relations that an asserted clause states, and the aliases in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from server.core.patterns import data_file
from server.graph.model import Entity, Relation, entity_key
from server.models.offline import lexicon
from server.models.offline.clauses import Clause
from server.models.offline.lexicon import KINSHIP, kind_of, listed, pairs, pattern, stems, word_set
from server.models.offline.people import Subject, attribute_named, related
from server.models.offline.tokens import lowered, names_in, read_name
from server.models.offline.verbs import Sense

_RULES = data_file(lexicon.PACKAGE, "rules")
_NAMED = [(pattern.compiled(r["before"]), r["relation"], r["type"]) for r in _RULES["name"]]
_STATES = [(pattern.compiled(r["phrase"]), r["relation"], r["type"]) for r in _RULES["state"]]
_RELATING = {lexicon.verb_stem(verb): verb for verb in listed("relating")}
_SAME_RELATION, _DENIED = pairs("same_relation"), pairs("denied")
_LEADS = {"allergic to": "allergic_to", "fan of": "likes"}
_NATIONALITIES = listed("nationalities")
_HAVING, _PAST_MEANS_OVER = stems("have adopt get own"), stems("live work intern study come")
_BETWEEN_NAMES = word_set(", and & named called")
_NAMES_WITHIN = 10
_UNHELD = Sense.RETRACTED | Sense.PLANNED | Sense.ABILITY


def relations_of(
    clause: Clause, subject: Subject, lead: str, items: Sequence[str]
) -> Iterator[Relation]:
    """Yields the relations of its subject that an asserted clause states."""
    is_held = not (clause.sense & _UNHELD or clause.is_former)
    yield from tuple(_introduced(clause, subject) if is_held else ()) or subject.relations
    about, found = subject.entity, list(_liked(clause, lead, items))
    if attribute := attribute_named(subject.noun):
        is_told = is_held and clause.stem in {"be", "chang"} and items
        is_number = attribute in {"phone_number", "age", "height", "weight", "birthday"}
        is_value = is_told and (not is_number or any(map(str.isdigit, items[0])))
        about, found = subject.owner, [(attribute, Entity(items[0]))] if is_value else []
    elif is_held:
        found += [*_named(clause, subject), *_being(clause, subject)]
    for relation, target in found:
        if target.key not in {"", about.key}:
            yield Relation(about, relation, target)


def _liked(clause: Clause, lead: str, items: Sequence[str]) -> Iterator[tuple[str, Entity]]:
    """Yields what somebody likes, eats, speaks and so on, by verbs that are relations."""
    sense = clause.sense
    relation = next((name for known, name in _LEADS.items() if lead.endswith(known)), "")
    if clause.stem in _RELATING and not lead:
        relation = lexicon.third_person(_RELATING[clause.stem])
        relation = _SAME_RELATION.get(relation, relation)
    if Sense.DENIED in sense:
        relation = _DENIED.get(relation, "")
    is_meant = relation == "speaks" or Sense.ABILITY not in sense
    is_meant &= Sense.PLANNED not in sense or clause.stem in lexicon.DISTASTES
    if relation and is_meant and Sense.OVER not in sense:
        for item in items:
            yield relation, Entity(item, "language" if relation == "speaks" else "")


def _named(clause: Clause, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """Yields the relations to names after the verb, the first of each kind."""
    rest, sense, found = clause.rest, clause.sense, dict[str, Entity]()
    is_lasting = Sense.PERFECT in sense or Sense.PROGRESSIVE in sense
    if Sense.PAST in sense and not is_lasting and clause.stem in _PAST_MEANS_OVER:
        return  # `I worked at Acme.`
    for place in range(min(len(rest), _NAMES_WITHIN)):
        name = read_name(rest, place)
        before = " ".join([clause.stem, *lowered(rest[:place])])
        for known, relation, kind in _NAMED if name else ():
            if name and known.fullmatch(before) and not (relation == "named" and subject.noun):
                found.setdefault(relation, Entity(name[0], kind))
    yield from found.items()


def _being(clause: Clause, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """Yields relations of `I am a nurse`, `I am vegan`, `I am 30` and `I turned 30`."""
    for known, relation, kind in _STATES if subject.is_somebody else ():
        if state := known.fullmatch(clause.phrase):
            yield relation, Entity(state.group(1), kind)


def _introduced(clause: Clause, subject: Subject) -> Iterator[Relation]:
    """Yields who is introduced: `I have a sister named Ana`, `Ana is my sister`, `I am Ana`."""
    rest = clause.rest
    while rest and rest[-1].lower in lexicon.ADVERBS:
        rest = rest[:-1]
    found, owner = lowered(rest), subject.owner
    place = next((p for p, word in enumerate(found[:5]) if kind_of(word)), None)
    if clause.stem in _HAVING and place is not None and subject.is_somebody:
        relation, kind = kind_of(found[place]) or ("", "")
        names = list[str]()
        for at, name in names_in(rest, place + 1):
            if not names and not _BETWEEN_NAMES.issuperset(found[place + 1 : at]):
                break
            names.append(name)
        if not names and kind == "animal":
            names = [found[place].removesuffix("s")]
        for each in names if not found[place - 1].endswith("'s") else ():
            yield related(subject.entity, relation, Entity(each, kind))
    if clause.stem != "be" or not rest:
        return
    start = int(found[0] in {"called", "named"})
    name = read_name(rest, start)
    is_name = name and name[1] == len(rest) and name[0].lower() not in _NATIONALITIES
    if name and is_name and subject.relations:
        for known in subject.relations:
            yield related(owner, known.relation, Entity(name[0], subject.entity.type))
    elif name and is_name and subject.entity == owner and not start:
        yield Relation(owner, "named", Entity(name[0], "person"))
    elif (role := kind_of(found[-1])) and subject.entity != owner and found[0] in {"my", "our"}:
        yield related(owner, role[0], subject.entity)


# People have only one or few of these; with two of them the words are ambiguous and join neither.
_OWN = KINSHIP.keys() - listed("several_kin") | word_set("sister brother son daughter twin")
_KNOWN_AS, _RELATIVE = pattern("known_as"), pattern("relative")


def find_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the aliases of each entity in the text, by the key of its name."""
    found: dict[str, tuple[str, ...]] = {}
    both = [sorted(m.groups(), key=_by_length) for m in _KNOWN_AS.finditer(text)]
    both += [[m[3], m[1]] for m in _RELATIVE.finditer(text) if m[2] in _OWN]
    for name, alias in both:  # The longer name is the entity's own.
        known = found.get(entity_key(name), ())
        found[entity_key(name)] = tuple(dict.fromkeys([*known, alias]))
    return found


def _by_length(name: str) -> tuple[int, int, str]:
    return -len(name.split()), -len(name), name
