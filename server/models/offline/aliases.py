"""Other names of somebody that a sentence in the third person gives."""

from __future__ import annotations

import re

from server.graph.model import entity_key
from server.models.offline.lexicon import KINSHIP, listed, word_set

_WORD = r"[A-Z\u00c0-\u00de][\w'-]*"
_NAME = rf"({_WORD}(?: {_WORD}){{0,3}})"
_KNOWN_AS = re.compile(
    rf"\b{_NAME},? (?:(?:is |was )?(?:also |better |usually |mostly )?"
    rf"(?:known as|called|nicknamed)|aka|a\.k\.a\.|goes by) {_NAME}"
)
_IN_PARENTHESES = re.compile(rf"\b{_NAME} \((?:aka )?{_NAME}\)")

# Of these one has one, or few: two of them make the words ambiguous, which joins neither.
_OWN = KINSHIP.keys() - listed("several_kin") | word_set("sister brother son daughter twin")
_RELATIVE = re.compile(
    rf"\b(({_WORD})'s ((?:(?:older|younger|elder|eldest|oldest|youngest|big|little|twin) )?"
    rf"([a-z-]+))),? (?:is |is called |is named |named |called )?{_NAME}"
    r"(?![\w'-]| [A-Z]| and [A-Z])"
)


def find_aliases(text: str) -> dict[str, tuple[str, ...]]:
    """The other names of each entity, by the key of its name, as far as the text says so.

    What stands in parentheses is often something else ("Paris (France)"), so there the names must
    fit: as initials, or because one is part of the other.
    """
    found: dict[str, dict[str, None]] = {}
    for match in _KNOWN_AS.finditer(text):
        _add(found, match.group(1), match.group(2))
    for match in _IN_PARENTHESES.finditer(text):
        if _fit(match.group(1), match.group(2)):
            _add(found, match.group(1), match.group(2))
    for match in _RELATIVE.finditer(text):
        _, owner, described, noun, name = match.groups()
        if noun in _OWN:
            found.setdefault(entity_key(name), {})[f"{owner}'s {described.lower()}"] = None
    return {key: tuple(aliases) for key, aliases in found.items()}


def _add(found: dict[str, dict[str, None]], one: str, other: str) -> None:
    """The longer name is the entity's own."""
    name, alias = sorted((one, other), key=lambda it: (-len(it.split()), -len(it), it))
    found.setdefault(entity_key(name), {})[alias] = None


def _fit(one: str, other: str) -> bool:
    short, long = sorted((one.lower().split(), other.lower().split()), key=len)
    return set(short) < set(long) or (
        len(long) > 1 and short == ["".join(word[0] for word in long)]
    )
