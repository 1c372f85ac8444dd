"""Finds the subject of a clause: the speaker, somebody or something of theirs, or a name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from server.graph.model import Entity, Relation, relation_name
from server.models.offline import lexicon
from server.models.offline.lexicon import ANIMAL, PERSON, kind_of, listed, word_set
from server.models.offline.phrases import FUNCTION_STEMS, content_stems, read_name
from server.models.offline.sentences import Token, joined, lowered
from server.models.offline.statements import Statement, Who


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a clause, by its entity and the names that it may have elsewhere.

    `kin` is the noun for its relation to its owner. `attribute` is set if the subject is something
    that the owner has one of: then the clause states its value, and is about the owner. `is_new`
    means that it replaces another: `my new car`. `members` are the people of a joint subject.
    """

    text: str
    entity: Entity
    owner: Entity
    names: frozenset[str]
    kin: str = ""
    attribute: str = ""
    is_new: bool = False
    relations: tuple[Relation, ...] = ()
    members: tuple[Subject, ...] = ()

    @property
    def stems(self) -> frozenset[str]:
        """The stems of its words, without its owner: `bike` for `my bike`."""
        return content_stems(self.text) - content_stems(self.owner.name) - FUNCTION_STEMS

    @property
    def is_somebody(self) -> bool:
        """Whether this is a person or an animal."""
        return self.entity.type in {PERSON, ANIMAL}


UNIQUE_KIN = listed("unique_kin")
UNIQUE_RELATIONS = frozenset(lexicon.KINSHIP[kin] for kin in UNIQUE_KIN)
_OWNERS = word_set("my our his her")
_ATTRIBUTES = listed("attributes")
_SAME_ATTRIBUTE = lexicon.pairs("same_attribute")
_NATIONALITIES = listed("nationalities") | listed("faiths")
_FROM_OWNER = word_set("married_to partner_of engaged_to has_pet")
_FEMALE, _MALE = listed("female"), listed("male")
_HAVING = frozenset(map(lexicon.verb_stem, word_set("have adopt get rescue buy own")))
_RECENCY_WORDS = word_set("new current now currently nowadays")
_BEFORE_TIMES = word_set("these this at right any anymore")


def related(owner: Entity, relation: str, thing: Entity) -> Relation:
    """Returns the relation between an owner and a thing or person, in the right direction."""
    ends = (owner, thing) if relation in _FROM_OWNER else (thing, owner)
    return Relation(ends[0], relation, ends[1])


def read_subject(statement: Statement, speaker: Entity, meant: Subject | None) -> Subject | None:
    """Returns the subject of a statement; None if a pronoun is ambiguous or means nobody.

    `meant` is the subject that a pronoun means, if it is known.
    """
    tokens = statement.subject_tokens
    first, text = tokens[0].lower, joined(tokens)
    if statement.who in {Who.SPEAKER, Who.GROUP} or text == speaker.name:
        own = Subject(speaker.name, speaker, speaker, frozenset({speaker.key}))
        others = tokens[2:] if first == "me" else tokens[:-2]  # `my wife and I`
        other = _single_subject(others, speaker, None) if statement.who is Who.GROUP else None
        return replace(own, members=(own, other)) if other else own
    if statement.who is Who.PRONOUN and (meant is None or first not in _OWNERS):
        return meant
    if statement.who is Who.THING:
        owned = f"{speaker.key}'s {' '.join(lowered(tokens[1:]))}"
        return Subject(text, Entity(text), speaker, frozenset({owned}))
    if len(together := _joint_parts(tokens)) > 1:
        subjects = [meant]
        for part in together:  # `My brother and his wife`: his is the brother's.
            subjects.append(_single_subject(part, speaker, subjects[-1]))
        members = tuple(subject for subject in subjects[1:] if subject is not None)
        if len(members) < len(together):
            return None
        text = " and ".join(member.text for member in members)
        return Subject(text, Entity(text), speaker, frozenset(), members=members)
    return _single_subject(tokens, speaker, meant)


def _joint_parts(tokens: Sequence[Token]) -> list[Sequence[Token]]:
    """Returns the subjects in `my mum and dad` and `Kim and Lee`, each with its owner."""
    found: list[Sequence[Token]] = [[]]
    for token in tokens:
        if token.lower in {"and", "&"}:
            found.append([])
        else:
            found[-1] = [*found[-1], token]
    owner = [tokens[0]] if tokens[0].lower in _OWNERS else []
    parts = [[*owner, *part] if part and kind_of(part[0].lower) else part for part in found]
    return parts if all(p and (p[0].lower in _OWNERS or p[0].is_name) for p in parts) else [tokens]


def _single_subject(
    tokens: Sequence[Token], speaker: Entity, meant: Subject | None
) -> Subject | None:
    if not tokens:
        return None
    first = tokens[0].lower
    if first in {"his", "her"} and meant is None:
        return None
    if first in _OWNERS:
        owner = meant.entity if meant and first in {"his", "her"} else speaker
        subject: Subject | None = _owned_subject(tokens[1:], owner)
    else:
        subject = _named_subject(tokens, speaker)
    if tokens[-1].text != "," or subject is None or subject.kin:
        return subject
    # What is said of somebody between commas is no name: `my uncle, a retired teacher,`.
    comma = next(place for place, token in enumerate(tokens) if token.text == ",")
    undescribed = _single_subject(tokens[:comma], speaker, meant)
    return replace(undescribed, text=subject.text) if undescribed else subject


def _named_subject(tokens: Sequence[Token], speaker: Entity) -> Subject | None:
    name = read_name(tokens, 0)
    if name is None:
        return None
    if name[0].endswith("'s") and name[1] < len(tokens):
        return _owned_subject(tokens[name[1] :], Entity(name[0][:-2], PERSON))
    text = joined(tokens)
    entity = Entity(
        name[0] if name[1] == len(tokens) else text,
        "" if lexicon.is_gerund(tokens[0].lower) else PERSON,
    )
    return Subject(text, entity, speaker, frozenset({entity.key}))


def _owned_subject(tokens: Sequence[Token], owner: Entity) -> Subject:
    """Returns the subject for words such as `my older sister Ana`, by name if there is one."""
    text = f"{owner.name}'s {joined(tokens)}"
    for place, token in enumerate(tokens[:-1]):
        if token.lower.endswith("'s"):
            noun = token._replace(text=token.text[:-2], lower=token.lower[:-2])
            theirs = _owned_subject([*tokens[:place], noun], owner)
            if tokens[-1].lower == "name" and place + 2 == len(tokens):
                return replace(theirs, text=text)
            return replace(_owned_subject(tokens[place + 1 :], theirs.entity), text=text)
    words = lowered(tokens)
    is_new = "new" in words
    place = next((p for p, word in enumerate(words) if kind_of(word)), len(words))
    after = place + 1
    after += after < len(tokens) and tokens[after].text == ","
    name = read_name(tokens, after)
    kind = kind_of(words[place]) if place < len(words) else None
    if kind is None or (after < len(tokens) and name is None):
        kept = " ".join(without_recency(words))
        attribute = attribute_named(words)
        names = {f"{owner.key}'s {kept}"} | ({owner.key} if attribute else set())
        return Subject(text, Entity(text), owner, frozenset(names), attribute=attribute,
                       is_new=is_new)  # fmt: skip
    described = f"{owner.name}'s {joined(tokens[: place + 1])}"
    entity = Entity(name[0] if name else described, kind[1])
    has_adjective = bool(set(words[:place]) - _RECENCY_WORDS)
    # `My sister` may mean this subject, unless it is one of several sisters.
    is_the_only_one = (name is None and not has_adjective) or words[place] in UNIQUE_KIN
    names = {entity.key} | ({f"{owner.key}'s {words[place]}"} if is_the_only_one else set())
    kin = f"best {words[place]}" if "best" in words[:place] else words[place]
    return Subject(text, entity, owner, frozenset(names), kin, is_new=is_new,
                   relations=(related(owner, kind[0], entity),))  # fmt: skip


def without_recency(words: Sequence[str]) -> list[str]:
    """Returns the words except those that distinguish in time: `new`, `these days`."""
    when = next((p for p, word in enumerate(words) if word in _BEFORE_TIMES), len(words))
    return [word for word in words[:when] if word not in _RECENCY_WORDS]


def attribute_named(words: Sequence[str]) -> str:
    """Returns the relation for things that people have one of: `new phone number`; else ""."""
    kept = [word.replace("e-mail", "email") for word in without_recency(words)]
    if kept[:1] in (["favourite"], ["favorite"]):
        kept[0] = "favorite"
    elif not kept or kept[-1] not in _ATTRIBUTES:
        return ""
    attribute = relation_name(" ".join(kept))
    return _SAME_ATTRIBUTE.get(attribute, attribute)


def introduced(statement: Statement, subject: Subject) -> Iterator[Relation]:
    """Yields who is introduced: `I have a sister named Ana`, `Ana is my sister`, `I am Ana`."""
    rest = statement.rest
    while rest and rest[-1].lower in lexicon.ADVERBS:
        rest = rest[:-1]
    if statement.is_retraction or statement.is_planned or not rest:
        return
    if statement.stem in _HAVING and subject.is_somebody:
        yield from _named_possessions(rest, subject.entity)
    elif statement.stem == "be":
        start = int(rest[0].lower in {"called", "named"})
        name = read_name(rest, start)
        is_name = name is not None and name[1] == len(rest) and is_personal_name(name[0])
        kind = kind_of(rest[-1].lower) if rest[0].lower in _OWNERS else None
        if subject.kin and name and is_name:
            named = Entity(name[0], subject.entity.type)
            for relation in subject.relations:
                yield related(subject.owner, relation.relation, named)
        elif statement.who is Who.SPEAKER and name and is_name and not start:
            yield Relation(subject.entity, "named", Entity(name[0], PERSON))
        elif kind and subject.entity != subject.owner:
            yield related(subject.owner, kind[0], subject.entity)


def is_personal_name(name: str) -> bool:
    """Whether a capitalized word after `I am` can be a name, and not a nationality or faith."""
    return name.lower() not in _NATIONALITIES


def _named_possessions(rest: Sequence[Token], owner: Entity) -> Iterator[Relation]:
    """Yields named people and animals: `a friend Mikkel`, `two dogs, Rex and Luna`."""
    words = lowered(rest)
    place = next((p for p, word in enumerate(words[:5]) if kind_of(word)), None)
    kind = kind_of(words[place]) if place is not None else None
    if place is None or kind is None or any("'s" in word for word in words[:place]):
        return
    noun, is_named = words[place], False
    while True:
        place += 1
        while place < len(rest) and words[place] in {",", "and", "named", "called", "&"}:
            place += 1
        name = read_name(rest, place)
        if name is None:
            break
        is_named = True
        yield related(owner, kind[0], Entity(name[0], kind[1]))
        place = name[1] - 1
    if not is_named and kind[1] == ANIMAL:
        yield related(owner, kind[0], Entity(noun if noun in lexicon.PETS else noun[:-1], ANIMAL))


def gender_of(subject: Subject) -> str:
    """Returns `she`, `he`, `they` for several people, or "" if the noun does not show it."""
    if lexicon.is_plural(subject.kin.rpartition(" ")[2]):
        return "they"
    words = {subject.kin, *subject.text.lower().replace(".", "").split()}
    if words & _FEMALE:
        return "she"
    return "he" if words & _MALE else ""
