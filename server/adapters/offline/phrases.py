"""Reading the name or the noun phrase at the beginning of a text."""

from __future__ import annotations

import re

from server.adapters.offline.vocabulary import NOT_NAMES, NOT_PLACES, STOPS
from server.adapters.offline.words import word_set

_CAPITALIZED = r"[A-Z\u00c0-\u00de][\w&'.-]*"
_INNER = r"(?:(?:of|de|del|da|do|dos|di|du|la|le|van|von|der|the|al|el)\s+){1,2}"
_WORD = re.compile(r"\s*([\w&][\w'&.-]*)")
_NAME_WORD = re.compile(rf"\s*((?:{_INNER})?{_CAPITALIZED})")
_ARTICLE = re.compile(r"\s*(?:the|The)\s+(?=[A-Z])")
_DETERMINERS = word_set(
    "the a an some any my their his her our its lots lot plenty of much many all every little"
)
_MAX_NAME_WORDS = 6
_MAX_PHRASE_WORDS = 6
_MAX_CASUAL_WORDS = 2
_PUNCTUATION = ".,'-&"

Read = tuple[str, int]
"""What was read, and where in the text it ends."""


def read_name(text: str, *, casual: bool = False) -> Read | None:
    """The name that the text begins with: capitalized words and what joins them.

    `casual` says that the writer uses no capitals: then one or two plain words count as well.
    """
    article = _ARTICLE.match(text)
    position = article.end() if article else 0
    start = position
    for _ in range(_MAX_NAME_WORDS):
        match = _NAME_WORD.match(text, position)
        if match is None or match.group(1).rstrip(_PUNCTUATION).lower() in NOT_NAMES:
            break
        position = match.end()
        if match.group(1).endswith(("'s", ".", ",")) and not _is_initial(match.group(1)):
            break
    name = text[start:position].strip().removesuffix("'s").rstrip(_PUNCTUATION)
    if name:
        return name, position
    return _read_casual(text) if casual else None


def _is_initial(word: str) -> bool:
    return word.endswith(".") and len(word.rstrip(".")) == 1


def _read_casual(text: str) -> Read | None:
    found: list[str] = []
    position = 0
    while len(found) < _MAX_CASUAL_WORDS:
        match = _WORD.match(text, position)
        if match is None or match.group(1).lower() in STOPS | NOT_PLACES | NOT_NAMES:
            break
        if match.group(1)[0].isdigit():
            break
        found.append(match.group(1).rstrip(_PUNCTUATION))
        position = match.end()
    return (" ".join(found), position) if found and found[0] else None


def read_phrase(text: str) -> Read | None:
    """The noun phrase that the text begins with, without its article: at most six words."""
    found: list[str] = []
    position = 0
    while len(found) < _MAX_PHRASE_WORDS:
        match = _WORD.match(text, position)
        if match is None or match.group(1).lower() in STOPS:
            break
        position = match.end()
        if found or match.group(1).lower() not in _DETERMINERS:
            found.append(match.group(1))
        if match.group(1).endswith("."):
            break
    phrase = " ".join(found).rstrip(_PUNCTUATION)
    return (phrase, position) if phrase else None
