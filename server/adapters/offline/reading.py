"""Reading what a verb phrase states: its relation and the things that it names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from server.adapters.offline.phrases import Read, read_name, read_phrase
from server.adapters.offline.predicates import PREDICATES, Object, Predicate
from server.adapters.offline.verbs import BASE, THIRD_PERSON
from server.adapters.offline.vocabulary import DIETS, JOBS
from server.domain.graph import Entity

_DIET = re.compile(
    rf"(?:is|am|became|has become|went|has gone)(?: an?)? (?:\w+ly )?({'|'.join(DIETS)})\b",
    re.IGNORECASE,
)
_NEXT_ITEM = re.compile(r"\s*,\s*(?:and\s+|or\s+)?|\s+(?:and|or|&)\s+")
_FIRST_WORD = re.compile(r"[\w'-]+")
_MAX_ITEMS = 10


@dataclass(frozen=True, slots=True)
class Predication:
    """A relation and its targets, and where in the text its object ends."""

    relation: str
    targets: tuple[Entity, ...]
    end: int


def read_predicate(text: str, *, speaker: str, casual: bool) -> Predication | None:
    """What the verb phrase that the text begins with states, or None if it is not known.

    `casual` is that of `read_name`.
    """
    diet = _DIET.match(text)
    if diet:
        return Predication("follows_diet", (Entity(diet.group(1).lower(), "diet"),), diet.end())
    for predicate in PREDICATES:
        verb = predicate.pattern.match(text)
        if verb is None:
            continue
        targets, end = _read_targets(predicate, text[verb.end() :], speaker, casual=casual)
        if targets:
            entities = tuple(Entity(target, predicate.target_type) for target in targets)
            return Predication(predicate.relation, entities, verb.end() + end)
    return None


def read_job(text: str) -> Read | None:
    """The occupation that the text begins with, such as `senior software engineer`."""
    found = read_phrase(text)
    return found if found and found[0].split()[-1].lower() in JOBS else None


def _read_targets(
    predicate: Predicate, text: str, speaker: str, *, casual: bool
) -> tuple[list[str], int]:
    if predicate.object is Object.PHRASES:
        return _read_list(text, speaker)
    if predicate.object is Object.JOB:
        found = read_job(text)
    elif predicate.object is Object.PHRASE:
        found = read_phrase(text)
    elif predicate.object is Object.ACTION:
        found = read_phrase(text)
        found = found if found and " " in found[0] and speaker not in found[0] else None
    else:
        found = read_name(text, casual=casual and predicate.object is Object.NAME)
    return ([found[0]], found[1]) if found else ([], 0)


def _read_list(text: str, speaker: str) -> tuple[list[str], int]:
    """The noun phrases that the text begins with, and where the last one ends."""
    found: list[str] = []
    position = end = 0
    while len(found) < _MAX_ITEMS:
        item = read_phrase(text[position:])
        if item is None or (found and _is_clause(text[position:], speaker)):
            break
        found.append(item[0])
        end = position + item[1]
        separator = _NEXT_ITEM.match(text, end)
        if separator is None:
            break
        position = separator.end()
    return found, end


def _is_clause(text: str, speaker: str) -> bool:
    """Whether a text after `and` begins a new clause rather than names one more thing."""
    first = _FIRST_WORD.match(text)
    word = first.group() if first else ""
    return (
        word in THIRD_PERSON
        or word in {speaker, f"{speaker}'s", "their", "he", "she", "no", "never", "moved"}
        or (word in BASE and " " in text)
    )
