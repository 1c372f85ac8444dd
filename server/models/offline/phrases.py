"""Names and noun phrases among the words that follow a verb."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from server.core.words import english_stem, words
from server.models.offline.clauses import Token, joined
from server.models.offline.lexicon import DETERMINERS, NOT_NAMES, PREPOSITIONS, words_of

_INNER = words_of("name_particles")
_INNER_NAME = re.compile(r"[a-z]{1,2}['\u2019][A-Z\u00c0-\u00de]")
_QUOTES = '"\u201c\u201d\u201e\u00ab\u00bb'
_STOPS = PREPOSITIONS - {"of"} | words_of("phrase_stops")
_MOST_WORDS = 8
_NOT_PLACES = words_of("not_places")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing of a list such as `tea, green tea and coffee`."""

    text: str

    @property
    def head(self) -> str:
        """The stem of the word that says what it is."""
        found = words(self.text)
        return english_stem(found[-1]) if found else ""


@dataclass(frozen=True, slots=True)
class Complement:
    """What follows a verb: words that go with it (`allergic to`), things, and what is left."""

    lead: str
    items: tuple[Item, ...]
    tail: tuple[Token, ...]


def read_name(
    tokens: Sequence[Token], place: int, *, casual: bool = False, several: bool = False
) -> tuple[str, int] | None:
    """The name that begins here, and where it ends.

    `casual` says that the writer uses no capitals: then one plain word counts as well. `several`
    says that `and` may join names to one, as in `Marks and Spencer`.
    """
    inner = _INNER | {"and"} if several else _INNER
    start = place
    if place < len(tokens) and tokens[place].lower == "the":
        start = place = place + 1
    end = place
    while place < len(tokens) and place - start < _MOST_WORDS:
        token = tokens[place]
        if token.is_name or _INNER_NAME.match(token.text) or token.text[0] in _QUOTES:
            place = end = place + 1
            if token.text[0] in _QUOTES:
                break
        elif end > start and token.lower in inner and _goes_on(tokens, place):
            place += 1
        elif end > start and token.text.isdigit() and place + 1 == len(tokens):
            place = end = place + 1
        else:
            break
    if end > start:
        return unquoted(joined(tokens[start:end])), end
    if casual and start < len(tokens) and _is_casual(tokens[start]):
        return tokens[start].text, start + 1
    return None


def unquoted(text: str) -> str:
    """The text without the quotation marks that are around all of it."""
    is_quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES
    return text[1:-1] if is_quoted else text


def _goes_on(tokens: Sequence[Token], place: int) -> bool:
    following = tokens[place + 1 : place + 3]
    return bool(following) and (
        following[0].is_name or (following[0].lower in _INNER and following[-1].is_name)
    )


def _is_casual(token: Token) -> bool:
    return (
        token.text[0].isalpha()
        and token.lower not in NOT_NAMES | DETERMINERS | _STOPS | _NOT_PLACES
    )


def is_place(name: str) -> bool:
    """Whether a name after `moved to` can be a place, and not, say, a department."""
    return name.lower() not in _NOT_PLACES


def read_complement(tokens: Sequence[Token], *, after_be: bool) -> Complement:
    """The complement in its parts."""
    start = 0
    if after_be:
        preposition = next(
            (p for p, token in enumerate(tokens[:3]) if token.lower in PREPOSITIONS), None
        )
        if preposition is not None and not (tokens and tokens[0].lower in DETERMINERS):
            start = preposition + 1
    else:
        while start < len(tokens) and tokens[start].lower in PREPOSITIONS | {"up", "out", "back"}:
            start += 1
    items, end = _items(tokens, start)
    return Complement(joined(tokens[:start]).lower(), items, tuple(tokens[end:]))


def _items(tokens: Sequence[Token], start: int) -> tuple[tuple[Item, ...], int]:
    found: list[Item] = []
    place = start
    while place < len(tokens):
        end = _item_end(tokens, place)
        if end == place:
            break
        first = place
        while first < end - 1 and tokens[first].lower in DETERMINERS:
            first += 1
        found.append(Item(unquoted(joined(tokens[first:end]))))
        place = end
        separator = end
        while separator < len(tokens) and tokens[separator].lower in {",", "and", "or", "&"}:
            separator += 1
        if separator == end or separator == len(tokens) or tokens[separator].lower in _STOPS:
            break
        place = separator
    return tuple(found), place if not found else max(place, _item_end(tokens, place))


def _item_end(tokens: Sequence[Token], place: int) -> int:
    """Where the noun phrase that begins here ends; `and` is in one only in quotes."""
    start = place
    while place < len(tokens) and place - start < _MOST_WORDS:
        token = tokens[place]
        if token.lower in _STOPS or token.lower in {"and", "or", "&"}:
            break
        if not token.is_word and token.text not in "@.-%\u20ac$'/:+":
            break
        place += 1
    return place
