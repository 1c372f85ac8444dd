"""Finds the relations that an asserted clause states, and the aliases in a sentence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from server.core.patterns import data_file
from server.graph.model import Entity, Relation, entity_key
from server.models.offline import lexicon
from server.models.offline.clauses import Clause
from server.models.offline.lexicon import kind_of, listed, pairs, pattern, stems, word_set
from server.models.offline.people import Subject, attribute_named, related
from server.models.offline.tokens import lowered, names_in, read_name
from server.models.offline.verbs import Sense

_RULES = data_file(lexicon.PACKAGE, "rules")
_NAMED = {relation: pattern.compiled(before) for relation, before in _RULES["name"].items()}
_STATES = {relation: pattern.compiled(phrase) for relation, phrase in _RULES["state"].items()}
_TYPES = {relation: kind for kind, found in _RULES["types"].items() for relation in found.split()}
_RELATING = {lexicon.verb_stem(verb): verb for verb in listed("relating")}
_SAME_RELATION, _DENIED = pairs("same_relation"), pairs("denied")
_LEADS = {"allergic to": "allergic_to", "fan of": "likes"}
_NUMBERS = word_set("phone_number age height weight birthday")
_HAVING, _PAST_MEANS_OVER = stems("have adopt get own"), stems("live work intern study come")
_BETWEEN_NAMES = word_set(", and & named called")
_NAMES_WITHIN, _NATIONALITIES = 10, listed("nationalities")


def relations_of(
    clause: Clause, subject: Subject, lead: str, items: Sequence[str]
) -> Iterator[Relation]:
    """Yields the relations of its subject that an asserted clause states."""
    is_unheld = clause.sense & (Sense.RETRACTED | Sense.PLANNED | Sense.ABILITY | Sense.FORMER)
    is_held = not is_unheld
    introduced = [*_introduced(clause, subject)] if is_held else []
    yield from introduced or filter(None, [subject.relation])
    about, found = subject.entity, list(_liked(clause, lead, items))
    if attribute := attribute_named(subject.noun):
        attribute = "works_at" if attribute == "job" and lead == "at" else attribute
        is_told = is_held and clause.stem == "be" and items
        is_value = is_told and (attribute not in _NUMBERS or any(map(str.isdigit, items[0])))
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
    relation = _DENIED.get(relation, "") if Sense.DENIED in sense else relation
    is_meant = relation == "speaks" or Sense.ABILITY not in sense
    is_meant &= Sense.PLANNED not in sense or clause.stem in lexicon.DISTASTES
    for item in items if relation and is_meant and Sense.OVER not in sense else ():
        yield relation, Entity(item, "language" if relation == "speaks" else "")


def _named(clause: Clause, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """Yields the relations to names after the verb, the first of each kind."""
    rest, sense, found = clause.rest, clause.sense, dict[str, Entity]()
    is_until_now = Sense.PERFECT in sense and not {"for", "since"}.isdisjoint(lowered(rest))
    is_lasting = Sense.PROGRESSIVE in sense or is_until_now
    if Sense.PAST in sense and not is_lasting and clause.stem in _PAST_MEANS_OVER:
        return  # `I worked at Acme`, or `I have lived in Rome`.
    for place in range(min(len(rest), _NAMES_WITHIN)):
        name = read_name(rest, place)
        before = " ".join([clause.stem, *lowered(rest[:place])])
        for relation, known in _NAMED.items() if name else ():
            if name and known.fullmatch(before) and not (relation == "named" and subject.noun):
                found.setdefault(relation, Entity(name[0], _TYPES.get(relation, "")))
    yield from found.items()


def _being(clause: Clause, subject: Subject) -> Iterator[tuple[str, Entity]]:
    """Yields relations of `I am a nurse`, `I am vegan`, `I am 30` and `I turned 30`."""
    for relation, known in _STATES.items() if subject.is_somebody else ():
        if state := known.fullmatch(clause.phrase):
            yield relation, Entity(state.group(1), _TYPES.get(relation, ""))


def _introduced(clause: Clause, subject: Subject) -> Iterator[Relation]:
    """Yields who is introduced: `I have a sister named Ana`, `Ana is my sister`, `I am Ana`."""
    rest, found, owner = clause.rest, lowered(clause.rest), subject.owner
    place = next((p for p, word in enumerate(found[:5]) if kind_of(word)), -1)
    relation, kind = (kind_of(found[place]) if place >= 0 else None) or ("", "")
    if clause.stem in _HAVING and relation and not found[place - 1].endswith("'s"):
        names, after = list[str](), place + 1
        for at, each in names_in(rest, place + 1):
            if _BETWEEN_NAMES.issuperset(found[after:at]):
                names, after = [*names, each], at + len(each.split())
        for each in names or ([found[place].removesuffix("s")] if kind == "animal" else []):
            yield related(subject.entity, relation, Entity(each, kind))
    start = int(found[:1] in (["called"], ["named"]))
    name = read_name(rest, start) if clause.stem == "be" else None
    if name and lexicon.ADVERBS.issuperset(found[name[1] :]):
        if known := subject.relation:
            yield related(owner, known.relation, Entity(name[0], subject.entity.type))
        elif subject.entity == owner and not start and found[0] not in _NATIONALITIES:
            yield Relation(owner, "named", Entity(name[0], "person"))
    elif clause.stem == "be" and place == 1 and found[0] in {"my", "our"}:
        yield related(owner, relation, subject.entity)


# Of these people one has one or few, so that `User's brother` means the brother who is named.
_OWN = lexicon.KINSHIP.keys() - listed("several_kin") | word_set("sister brother son daughter twin")
_KNOWN_AS, _RELATIVE = pattern("known_as"), pattern("relative")


def find_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """Returns the aliases of each entity in the text, by the key of its name, the longer one."""
    found = [sorted(match.groups(), key=len, reverse=True) for match in _KNOWN_AS.finditer(text)]
    found += [[match[3], match[1]] for match in _RELATIVE.finditer(text) if match[2] in _OWN]
    aliases: dict[str, tuple[str, ...]] = {}
    for name, alias in found:
        aliases[entity_key(name)] = (*aliases.get(entity_key(name), ()), alias)
    return aliases
