"""Whom `she` means: the one person or animal that the sentence before spoke of."""

from __future__ import annotations

import re
from collections.abc import Iterable

from server.adapters.offline.possessions import ANIMAL, PERSON
from server.domain.graph import Entity, Relation

_SUBJECT = re.compile(r"(?:he|she|it)(?P<is>'s|\u2019s)?(?=\s)", re.IGNORECASE)
_POSSESSIVE = re.compile(r"(?:his|her|its)(?=\s)", re.IGNORECASE)


def antecedent(relations: Iterable[Relation], speaker: str) -> Entity | None:
    """The only person or animal beside the speaker that the relations name, or None."""
    named = {
        entity.key: entity
        for relation in relations
        for entity in (relation.source, relation.target)
        if entity.type in {PERSON, ANIMAL} and entity.name != speaker
    }
    return next(iter(named.values())) if len(named) == 1 else None


def resolved(text: str, meant: Entity | None) -> str | None:
    """The text with its first word, a pronoun, replaced by the name; None if it is no such text.

    `It` means an animal only, since it means all else besides.
    """
    if meant is None or (text[:2].lower() == "it" and meant.type != ANIMAL):
        return None
    subject = _SUBJECT.match(text)
    if subject:
        return meant.name + (" is" if subject["is"] else "") + text[subject.end() :]
    possessive = _POSSESSIVE.match(text)
    return f"{meant.name}'s{text[possessive.end() :]}" if possessive else None
