"""Who and what a sentence mentions."""

from __future__ import annotations

import re
from collections.abc import Iterable

from server.adapters.offline.phrases import read_name
from server.adapters.offline.possessions import PERSON
from server.adapters.offline.vocabulary import KINSHIP, NATIONALITIES
from server.domain.graph import Entity, Relation

MAX_ENTITIES = 20

_CAPITAL = re.compile(r"(?<![\w'-])[A-Z\u00c0-\u00de]")
_PLACE_BEFORE = re.compile(
    r"\b(?:in|near|visiting|visited"
    r"|(?:moved|going|went|flew|fly|trip|travel|travell?ed|back|been) to"
    r"|(?:moved|is|are|comes|back) from) (?:the )?$",
    re.IGNORECASE,
)
_ORGANIZATION_BEFORE = re.compile(
    r"\b(?:works?|working|worked|job|intern|interns|interning|employed)(?: \w+)? (?:at|for) $",
    re.IGNORECASE,
)
_PERSON_BEFORE = re.compile(
    r"\b(?:(?:up|out|live|lives|lunch|dinner|friends) with|met|called|named|married|dating"
    r"|mr\.?|mrs\.?|ms\.?|dr\.?) $",
    re.IGNORECASE,
)
_MONTH = re.compile(
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*(?: \d{1,4}(?:st|nd|rd|th)?)?"
)


def find_entities(
    text: str, relations: Iterable[Relation], speaker: Entity | None
) -> tuple[Entity, ...]:
    """The ends of the relations, the speaker if given, and the names in the text, each once.

    A capitalized word that begins the sentence counts only if a relation says that it is a name.
    """
    found: dict[str, Entity] = {}
    if speaker is not None:
        found[speaker.key] = speaker
    for relation in relations:
        for entity in (relation.source, relation.target):
            found.setdefault(entity.key, entity)
    position = 0
    while capital := _CAPITAL.search(text, position):
        name = read_name(text[capital.start() :])
        position = capital.start() + (name[1] if name else 1)
        if name and capital.start() > 0 and len(found) < MAX_ENTITIES and _is_name(name[0]):
            entity = Entity(name[0], _type(text[: capital.start()]))
            if not any(entity.key in key for key in found):
                found[entity.key] = entity
    return tuple(found.values())


def _is_name(name: str) -> bool:
    return not (_MONTH.fullmatch(name) or name.lower() in NATIONALITIES)


def _type(before: str) -> str:
    """What kind of thing a name is, by the words before it; empty where they do not tell."""
    if _ORGANIZATION_BEFORE.search(before):
        return "organization"
    if _PLACE_BEFORE.search(before):
        return "place"
    if _PERSON_BEFORE.search(before) or before.rpartition(" ")[0].rpartition(" ")[2] in KINSHIP:
        return PERSON
    return ""
