"""Whom a clause is about: the speaker, somebody or something of theirs, or who is named."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from server.core.words import english_stem
from server.graph.model import Entity, Relation, relation_name
from server.models.offline.clauses import Token, joined
from server.models.offline.lexicon import (
    FEMALE_KIN,
    KINSHIP,
    MALE_KIN,
    NEGATED,
    PETS,
    SYMMETRIC,
    UNIQUE_KIN,
    VERBS,
    pairs_of,
    stem_set,
    word_set,
    words_of,
)
from server.models.offline.phrases import read_name
from server.models.offline.rewriting import Speaker
from server.models.offline.statements import Statement, Who

PERSON = "person"
ANIMAL = "animal"


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a clause, by its entity and the names that it may have elsewhere.

    `kin` is the noun for what it is to its owner. `attribute` is set where the subject is something
    that the owner has one of: then the clause tells its value, and is about the owner. `is_new`
    says that it comes after another one: `my new car`.
    """

    text: str
    entity: Entity
    owner: Entity
    names: frozenset[str]
    kin: str = ""
    attribute: str = ""
    is_new: bool = False
    relations: tuple[Relation, ...] = ()

    @property
    def is_attribute(self) -> bool:
        """Whether the clause tells the value of something that the owner has one of."""
        return bool(self.attribute)

    @property
    def is_somebody(self) -> bool:
        """Whether this is a person or an animal."""
        return self.entity.type in {PERSON, ANIMAL}


_ATTRIBUTES = words_of("attributes")
_OWNERS = word_set("my our")
_IS = stem_set("be")
_VERB_STEMS = frozenset(map(english_stem, VERBS))
_HAVING = stem_set("have adopt get rescue buy own")


def kind_of(word: str) -> tuple[str, str] | None:
    """The relation and the type of a noun for a person or an animal that one has."""
    for noun in (word, word.removesuffix("s"), word.removesuffix("ren")):
        if noun in KINSHIP:
            return KINSHIP[noun], PERSON
        if noun in PETS:
            return "has_pet", ANIMAL
    return None


def related(owner: Entity, relation: str, thing: Entity) -> Relation:
    """The relation between an owner and theirs, from the side from which it is told."""
    from_owner = thing.type == ANIMAL or relation in SYMMETRIC
    return Relation(owner, relation, thing) if from_owner else Relation(thing, relation, owner)


def read_subject(statement: Statement, speaker: Speaker, meant: Subject | None) -> Subject | None:
    """Who the subject of a statement is; None for a pronoun that could mean several, or nobody."""
    tokens = statement.subject_tokens
    own = Entity(speaker.name, speaker.type)
    match statement.who:
        case Who.SPEAKER | Who.GROUP:
            return Subject(speaker.name, own, own, frozenset({own.key}))
        case Who.PRONOUN:
            return _meant(tokens, meant)
        case Who.THING:
            text = joined(tokens)
            return Subject(text, Entity(text), own, frozenset({text.lower()}))
        case _:
            possessive = 1 if tokens[0].lower in _OWNERS else _speakers_own(tokens, speaker)
            if possessive:
                return _owned(tokens[possessive:], speaker, own)
            return _named(tokens, speaker, own)


def _meant(tokens: Sequence[Token], meant: Subject | None) -> Subject | None:
    """The one whom a pronoun means, or something of theirs."""
    if meant is None or tokens[0].lower in {"he", "she"}:
        return meant
    owner = Speaker(meant.entity.name, meant.entity.type)
    return _owned(tokens[1:], owner, meant.entity)


def _speakers_own(tokens: Sequence[Token], speaker: Speaker) -> int:
    """After how many tokens `User's` ends, if the subject begins with it; else 0."""
    length = len(speaker.name.split())
    is_own = joined(tokens[:length]).replace("\u2019", "'") == speaker.possessive
    return length if is_own and len(tokens) > length else 0


def _named(tokens: Sequence[Token], speaker: Speaker, own: Entity) -> Subject | None:
    text = joined(tokens)
    if text == speaker.name:
        return Subject(text, own, own, frozenset({own.key}))
    name = read_name(tokens, 0)
    if name is None:
        return None
    is_doing = tokens[0].lower.endswith("ing") and english_stem(tokens[0].lower) in _VERB_STEMS
    type_ = "" if is_doing else PERSON
    entity = Entity(name[0] if name[1] == len(tokens) else text, type_)
    return Subject(text, entity, own, frozenset({entity.key}))


def _owned(tokens: Sequence[Token], speaker: Speaker, own: Entity) -> Subject:
    """What `my older sister Ana` is: somebody, by name if there is one, or something."""
    text = f"{speaker.possessive} {joined(tokens)}"
    if len(tokens) > 1 and tokens[-1].lower == "name" and tokens[-2].lower.endswith("'s"):
        kin = tokens[-2]
        noun_token = dataclasses.replace(kin, text=kin.text[:-2], lower=kin.lower[:-2])
        return dataclasses.replace(_owned([*tokens[:-2], noun_token], speaker, own), text=text)
    place = next((p for p, token in enumerate(tokens) if kind_of(token.lower)), None)
    is_plain = place is not None and all("'s" not in t.lower for t in tokens[:place])
    if place is None or not is_plain:
        return _thing(tokens, text, own)
    noun = tokens[place].lower
    kind = kind_of(noun)
    assert kind is not None
    after = place + 1
    after += after < len(tokens) and tokens[after].text == ","
    name = read_name(tokens, after)
    called = f"{speaker.possessive} {joined(tokens[: place + 1])}"
    if after < len(tokens) and name is None:
        return _thing(tokens, text, own)
    entity = Entity(name[0] if name else called, kind[1])
    names = {entity.key} | (
        {f"{own.key}'s {noun}"} if name is None or noun in UNIQUE_KIN else set()
    )
    is_new = any(token.lower == "new" for token in tokens[:place])
    return Subject(text, entity, own, frozenset(names), noun, is_new=is_new,
                   relations=(related(own, kind[0], entity),))  # fmt: skip


def _thing(tokens: Sequence[Token], text: str, own: Entity) -> Subject:
    kept = _which_kind(tokens)
    attribute = attribute_named(tokens)
    name = f"{own.key}'s {' '.join(kept)}"
    names = frozenset({name, own.key} if attribute else {name})
    is_new = any(token.lower == "new" for token in tokens)
    return Subject(text, Entity(text), own, names, attribute=attribute, is_new=is_new)


def attribute_named(tokens: Sequence[Token]) -> str:
    """The relation for what somebody has one of, such as `new phone number`; "" for others."""
    kept = _which_kind(tokens)
    is_favorite = kept[:1] in (["favourite"], ["favorite"])
    if not (is_favorite or (kept[-1:] and kept[-1] in _ATTRIBUTES)) or "'s" in " ".join(kept):
        return ""
    if is_favorite:
        kept[0] = "favorite"
    attribute = relation_name(" ".join(kept))
    return _SAME_ATTRIBUTE.get(attribute, attribute)


def _which_kind(tokens: Sequence[Token]) -> list[str]:
    """The words of a noun phrase without those that tell one of a kind from another."""
    words = [token.lower.replace("e-mail", "email") for token in tokens]
    return [word for word in words if word not in _WHICH_ONE]


_WHICH_ONE = word_set("new current")
_SAME_ATTRIBUTE = pairs_of("same_attribute")


def introduced(statement: Statement, subject: Subject) -> Iterator[Relation]:
    """Who is introduced, as in `I have a sister named Ana`, `Ana is my sister` and `I am Ana`."""
    rest = statement.rest
    if statement.is_denied or statement.is_over:
        return
    if statement.stem in _HAVING and subject.is_somebody and not statement.is_planned:
        yield from _had(rest, subject.entity)
    elif statement.stem in _IS and statement.tokens[statement.verb].lower not in NEGATED:
        start = 1 if rest and rest[0].lower in {"called", "named"} else 0
        name = read_name(rest, start)
        is_name = name is not None and name[1] == len(rest)
        if subject.kin and is_name and name and is_personal_name(name[0]):
            for relation in subject.relations:
                named = Entity(name[0], PERSON if subject.entity.type == PERSON else ANIMAL)
                yield _with(relation, subject.entity, named)
        elif subject.entity == subject.owner and is_name and name and not start:
            if is_personal_name(name[0]) and statement.who is Who.SPEAKER:
                yield Relation(subject.entity, "named", Entity(name[0], PERSON))
        elif rest and rest[0].lower in _OWNERS and len(rest) > 1:
            kind = kind_of(rest[-1].lower)
            if kind and subject.entity != subject.owner:
                yield related(subject.owner, kind[0], subject.entity)


def is_personal_name(name: str) -> bool:
    """Whether a capitalized word after `I am` can be a name, and is no nationality or faith."""
    return name.lower() not in _NATIONALITIES


_NATIONALITIES = words_of("nationalities")


def _with(relation: Relation, old: Entity, new: Entity) -> Relation:
    source = new if relation.source.key == old.key else relation.source
    target = new if relation.target.key == old.key else relation.target
    return Relation(source, relation.relation, target)


def _had(rest: Sequence[Token], owner: Entity) -> Iterator[Relation]:
    """Whom somebody has, by name: `a friend Mikkel`, `two dogs, Rex and Luna`."""
    place = next((p for p, token in enumerate(rest[:5]) if kind_of(token.lower)), None)
    if place is None or any("'s" in token.lower for token in rest[:place]):
        return
    kind = kind_of(rest[place].lower)
    assert kind is not None
    place += 1
    found = False
    while place < len(rest):
        while place < len(rest) and rest[place].lower in {",", "and", "named", "called", "&"}:
            place += 1
        name = read_name(rest, place)
        if name is None:
            break
        found = True
        yield related(owner, kind[0], Entity(name[0], kind[1]))
        place = name[1]
    if not found and kind[1] == ANIMAL:
        yield related(owner, kind[0], Entity(_singular(rest), ANIMAL))


def _singular(rest: Sequence[Token]) -> str:
    noun = next(token.lower for token in rest if kind_of(token.lower))
    return noun if noun in PETS else noun.removesuffix("s")


def gender_of(subject: Subject) -> str:
    """`she`, `he`, or "" where the noun for the person does not tell."""
    words = {subject.kin, *subject.text.lower().replace(".", "").split()}
    if words & FEMALE_KIN:
        return "she"
    return "he" if words & MALE_KIN else ""
