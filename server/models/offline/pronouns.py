"""Resolves pronouns such as `she`, if only one person can be meant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from server.graph.model import Entity
from server.models.offline.clauses import Clause, is_verb
from server.models.offline.facts import Fact
from server.models.offline.lexicon import ANIMAL, PERSON, PHRASE_STOPS
from server.models.offline.people import Subject, gender_of
from server.models.offline.tokens import Token, lowered

PRONOUNS = {"he": "he", "his": "he", "she": "she", "her": "she"}


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
            if gender_of(subject) in {"", PRONOUNS[pronoun]}
        }
        if len(fitting) != 1 or fitting.keys().isdisjoint(self._known):
            return None
        subject = next(iter(fitting.values()))
        return replace(subject, text=subject.entity.name, relations=())


def own_thing(clause: Clause) -> Sequence[Token]:
    """Returns the speaker's only thing in a clause, such as `my number`."""
    tokens, words = clause.tokens, lowered(clause.tokens)
    starts = [place for place, word in enumerate(words) if word in {"my", "our"}]
    if len(starts) != 1:
        return ()
    end = starts[0] + 1
    while end < len(words) and words[end] not in PHRASE_STOPS and tokens[end].is_word:
        if is_verb(tokens, end):
            break
        end += 1
    return (tokens[starts[0]]._replace(text="my", lower="my"), *tokens[starts[0] + 1 : end])


def with_thing(clause: Clause, thing: Sequence[Token]) -> Clause:
    """Returns the clause with `it` replaced if it states a value: `it's 555 1234 now`."""
    is_value = any(token.is_name or token.text[0].isdigit() for token in clause.tokens)
    if not (thing and is_value and lowered(clause.tokens[:2]) == ["it", "is"]):
        return clause
    return replace(clause, tokens=(*thing, *clause.tokens[1:]))


def _is_somebody(entity: Entity) -> bool:
    """Whether it is a person, or an animal with a name."""
    return entity.type == PERSON or (entity.type == ANIMAL and entity.name[:1].isupper())
