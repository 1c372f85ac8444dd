"""Finds the subject of a clause: the speaker, somebody or something of theirs, or a name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from server.core.text import words
from server.graph.model import Entity, Relation, relation_name
from server.models.offline import lexicon
from server.models.offline.lexicon import kind_of, listed, pairs, verb_stem, word_set
from server.models.offline.tokens import Token, joined, lowered, names_in, read_name

GENDERS: Final = {"he": "he", "his": "he", "she": "she", "her": "she", "they": "they"}
"""The pronouns for others, and whom they can mean."""

_FEMALE, _MALE, UNIQUE_KIN = listed("female"), listed("male"), listed("unique_kin")
_FROM_OWNER = word_set("married_to partner_of engaged_to has_pet")
_ATTRIBUTES, _SAME_ATTRIBUTE = listed("attributes"), pairs("same_attribute")
_RECENT = word_set("new current now currently nowadays these days")
_BEFORE_THINGS = lexicon.PREPOSITIONS - {"with"}
_FUNCTION_WORDS = (lexicon.PREPOSITIONS | lexicon.DETERMINERS | lexicon.ADVERBS) - lexicon.NUMBERS


def content_stems(text: str) -> frozenset[str]:
    """Returns the stems of the words of a text except function words; verbs have one stem."""
    found = [word.lower().removesuffix("'s") for word in words(text)]
    return frozenset(verb_stem(word) for word in found if word not in _FUNCTION_WORDS)


@dataclass(frozen=True, slots=True)
class Subject:
    """The subject of a clause: its words, its entity, and the keys by which others name it.

    `noun` is what it is to its owner, such as `sister` or `phone number`, and `relation` the
    relation between them. `is_new` means that it replaces another: `my new car`.
    """

    text: str
    entity: Entity
    owner: Entity
    names: frozenset[str]
    noun: str = ""
    is_new: bool = False
    relation: Relation | None = None

    @property
    def is_somebody(self) -> bool:
        """Whether this is a person or an animal."""
        return self.entity.type in {"person", "animal"}

    @property
    def stems(self) -> frozenset[str]:
        """The stems of its words, without its owner: `bike` for `my bike`."""
        return content_stems(self.text) - content_stems(self.owner.name)


def related(owner: Entity, relation: str, thing: Entity) -> Relation:
    """Returns the relation between an owner and a thing or person, in the right direction."""
    source, target = (owner, thing) if relation in _FROM_OWNER else (thing, owner)
    return Relation(source, relation, target)


def read_subject(tokens: Sequence[Token], speaker: Entity, meant: Subject | None) -> Subject | None:
    """Returns the subject in these words; None if a pronoun in it is ambiguous or means nobody.

    `meant` is the subject that a pronoun means, if it is known.
    """
    found, text = lowered(tokens), joined(tokens)
    first, name = found[0], read_name(tokens, 0)
    if found[-1] in {"i", "we"} or first == "me" or text == speaker.name:
        return Subject(speaker.name, speaker, speaker, frozenset({speaker.key}))
    if first in GENDERS and (meant is None or first == GENDERS[first]):
        return meant
    if text.startswith(f"{speaker.name}'s "):
        first, tokens = "my", tokens[len(speaker.name.split()) - 1 :]
    if first in {"my", "our", "his", "her"}:
        return _owned(tokens[1:], meant.entity if meant and first in GENDERS else speaker)
    if name is None or first == "the":
        noun = " ".join(found[1:])
        return Subject(text, Entity(text), speaker, frozenset({f"{speaker.key}'s {noun}"}), noun)
    if name[0].endswith("'s") and name[1] < len(tokens):
        return _owned(tokens[name[1] :], Entity(name[0][:-2], "person"))
    is_whole = name[1] == len(tokens) or tokens[name[1]].text == ","
    kind = "" if lexicon.is_gerund(first) or "and" in found else "person"
    entity = Entity(name[0] if is_whole else text, kind)
    return Subject(text, entity, speaker, frozenset({entity.key}))


def _owned(tokens: Sequence[Token], owner: Entity) -> Subject:
    """Returns the subject for words such as `my older sister Ana`, by name if there is one."""
    text, found = f"{owner.name}'s {joined(tokens)}", lowered(tokens)
    if len(found) > 1 and found[-1] == "name" and found[-2].endswith("'s"):
        # `My mom's name is Helga` tells who she is.
        kin = tokens[-2]._replace(text=tokens[-2].text[:-2], lower=found[-2].removesuffix("'s"))
        tokens, found = [*tokens[:-2], kin], [*found[:-2], kin.lower]
    place = next((p for p, word in enumerate(found) if kind_of(word)), len(found) - 1)
    name = read_name(tokens, place + 1 + (found[place + 1 : place + 2] == [","]))
    kind, is_new = kind_of(found[place]), "new" in found
    is_others = any(word.endswith("'s") for word in found[:place])  # `My neighbour's cat.`
    is_thing = is_others or (bool(found[place + 1 :]) and name is None and "," not in found)
    if kind is None or "and" in found or is_thing:
        noun = " ".join(word for word in found if word not in _RECENT).partition(" ,")[0]
        names = {f"{owner.key}'s {noun}", *([owner.key] if attribute_named(noun) else [])}
        return Subject(text, Entity(text), owner, frozenset(names), noun, is_new)
    entity = Entity(name[0] if name else f"{owner.name}'s {joined(tokens[: place + 1])}", kind[1])
    # `My sister` may mean this subject, unless it is one of several sisters.
    is_only_one = not (name or set(found[:place]) - _RECENT) or found[place] in UNIQUE_KIN
    names = {entity.key, *([f"{owner.key}'s {found[place]}"] if is_only_one else [])}
    noun = " ".join(word for word in found[: place + 1] if word == "best" or kind_of(word))
    relation = related(owner, kind[0], entity)
    return Subject(text, entity, owner, frozenset(names), noun, is_new, relation)


def attribute_named(noun: str) -> str:
    """Returns the relation for things that people have one of: `phone number`; else ""."""
    found = noun.replace("e-mail", "email").replace("favourite", "favorite")
    is_one = found.startswith("favorite ") or found.rpartition(" ")[2] in _ATTRIBUTES
    attribute = relation_name(found) if is_one and "'s" not in found else ""
    return _SAME_ATTRIBUTE.get(attribute, attribute)


class People:
    """The people in a conversation so far, by whom a pronoun can be understood."""

    def __init__(self) -> None:
        self._known: dict[str, Subject] = {}

    def hear(
        self, subject: Subject, relations: Sequence[Relation], rest: Sequence[Token], speaker: str
    ) -> None:
        """Adds the people in a fact, and names in the `rest` of it that may be people's."""
        ends = [(end, r.relation) for r in relations for end in (r.source, r.target)]
        for place, name in names_in(rest):
            before = rest[place - 1].lower if place else ""
            if before not in _BEFORE_THINGS and all(name != end.name for end, _ in ends):
                ends.append((Entity(name, "person"), before))
        for end, relation in ends if subject.relation else [(subject.entity, ""), *ends]:
            is_named = end.type in {"person", "animal"} and end.name[:1].isupper()
            if is_named and end.name != speaker:
                noun = subject.noun if end == subject.entity else relation.removesuffix("_of")
                other = Subject(end.name, end, subject.owner, frozenset({end.key}), noun)
                self._known.setdefault(end.key, other)

    def meant(self, pronoun: str) -> Subject | None:
        """Returns the only person that the pronoun can mean, else None."""
        is_known = {GENDERS[pronoun], "" if pronoun != "they" else "they"}
        fitting = [each for each in self._known.values() if _gender(each) in is_known]
        return fitting[0] if len(fitting) == 1 else None


def _gender(subject: Subject) -> str:
    """Returns `she`, `he`, `they` for several, or "" if the noun does not show it."""
    found = {*subject.noun.split(), *subject.text.lower().replace(".", "").split()}
    is_several = kind_of(subject.noun) and subject.noun not in lexicon.KINSHIP | lexicon.PETS
    return "they" if is_several else "she" if found & _FEMALE else "he" if found & _MALE else ""
