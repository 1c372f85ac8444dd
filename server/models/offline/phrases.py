"""Names and noun phrases after a verb."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from server.core.text import english_stem, words
from server.models.offline import lexicon
from server.models.offline.lexicon import (
    DAYS,
    DETERMINERS,
    MONTHS,
    PHRASE_STOPS,
    PREPOSITIONS,
    kind_of,
    listed,
    verb_stem,
)
from server.models.offline.sentences import QUOTES, Token, joined

_NAME_PARTICLES = listed("name_particles")
_INNER_NAME = re.compile(r"[a-z]{1,2}['\u2019][A-Z\u00c0-\u00de]")
_NUMBERED_NAME = re.compile(r"\d+-?[A-Z]")
_QUOTES = QUOTES + "\u201d\u00bb"
_IN_NUMBERS = "@.-%\u20ac$'/:+"
_PARTICLES = PREPOSITIONS | {"up", "down", "out", "off", "back", "away"}
_LISTING = frozenset({",", "and", "or", "&"})
_ITEM_ENDS = PHRASE_STOPS | _LISTING | {"back"}
_MOST_WORDS = 8
_CALENDAR = frozenset({*DAYS, *MONTHS})
_BEFORE_PERIODS = frozenset({"last", "next", "this", "every", "all"})
_PARTS = frozenset({"half", "most", "part"})
_PERIODS = _CALENDAR | listed("periods")
_BEFORE_DATES = frozenset({"in", "on", "since", "until", "before", "after", "during"})
_NUMBERS = listed("cardinals") | listed("more_numbers")
_YEAR = re.compile(r"(?:19|20)\d\d")


@dataclass(frozen=True)
class Item:
    """An item of a list such as `tea, green tea and coffee`."""

    text: str

    @property
    def key(self) -> str:
        """The key of the thing, which is equal for all spellings."""
        return self.text.casefold()

    @property
    def is_name(self) -> bool:
        """Whether it begins with a capital."""
        return self.text[:1].isupper()

    @cached_property
    def head(self) -> str:
        """The stem of its main noun."""
        found = words(self.text)
        return english_stem(found[-1]) if found else ""

    @cached_property
    def kind(self) -> str:
        """The relation to a person or an animal of this kind; "" for other things."""
        kinds = filter(None, map(kind_of, self.text.lower().split()))
        return next((relation for relation, _ in kinds), "")

    @cached_property
    def stems(self) -> frozenset[str]:
        """The stems of all of its words except `my`, `the` and the like."""
        found = [word for word in words(self.text) if word.lower() not in DETERMINERS]
        return content_stems(" ".join(found) or self.text)


@dataclass(frozen=True, slots=True)
class Complement:
    """The words after a verb: words that belong to it (`allergic to`), items, and the rest."""

    lead: str
    items: tuple[Item, ...]
    tail: tuple[Token, ...]

    @property
    def places(self) -> frozenset[str]:
        """The names of the places of the items: `my house in Nice`."""
        is_place = bool(self.tail) and self.tail[0].lower in {"in", "at", "near"}
        return frozenset(token.lower for token in self.tail if is_place and token.is_name)

    @property
    def is_several(self) -> bool:
        """Whether the list continues after the items: `a house in Spain and a flat in London`."""
        return any(token.lower in _LISTING for token in self.tail)

    @property
    def tail_stems(self) -> frozenset[str]:
        """The stems of the words after the items, empty if they may belong to others."""
        return frozenset() if self.is_several else content_stems(joined(self.tail))


def content_stems(text: str) -> frozenset[str]:
    """Returns the stems of the words of a text; all forms of a verb have one stem."""
    return frozenset(verb_stem(word.lower().removesuffix("'s")) for word in words(text))


FUNCTION_STEMS = content_stems(
    " ".join(lexicon.PREPOSITIONS | lexicon.DETERMINERS | lexicon.ADVERBS)
)


def read_name(
    tokens: Sequence[Token], place: int, *, several: bool = False
) -> tuple[str, int] | None:
    """Returns the name that begins here, and its end.

    With `several`, `and` may be part of a name, as in `Marks and Spencer`.
    """
    inner = _NAME_PARTICLES | {"and"} if several else _NAME_PARTICLES
    if place < len(tokens) and tokens[place].lower == "the":
        place += 1
    start = end = place
    while place < len(tokens) and place - start < _MOST_WORDS:
        token = tokens[place]
        is_number = token.text.isdigit() and end > start and place + 1 == len(tokens)
        is_number |= several and bool(_NUMBERED_NAME.match(token.text))
        if token.text[0] in _QUOTES and end > start:
            break
        if token.is_name or is_number or _INNER_NAME.match(token.text) or token.text[0] in _QUOTES:
            end = place + 1
        elif end == start or token.lower not in inner:
            break
        place += 1
    return (unquoted(joined(tokens[start:end])), end) if end > start else None


def names_in(tokens: Sequence[Token], start: int = 0) -> Iterator[tuple[int, str]]:
    """Returns the names among the tokens and where each begins."""
    place = start
    while place < len(tokens):
        name = read_name(tokens, place) if tokens[place].lower != "the" else None
        if name:
            yield place, name[0].removesuffix("'s")
        place = name[1] if name else place + 1


def unquoted(text: str) -> str:
    """Returns the text without quotation marks around all of it."""
    is_quoted = len(text) > 1 and text[0] in _QUOTES and text[-1] in _QUOTES
    return text[1:-1] if is_quoted else text


def read_complement(tokens: Sequence[Token], *, after_be: bool) -> Complement:
    """Returns the words after a verb in parts; `after_be`: the verb is `be` or `get`."""
    start = 0
    if after_be:
        near = [token.lower in PREPOSITIONS for token in tokens[:3]]
        start = near.index(True) + 1 if any(near) and tokens[0].lower not in DETERMINERS else 0
    else:
        while start < len(tokens) and tokens[start].lower in _PARTICLES:
            start += 1
    before = tokens[start - 1].lower if start else ""
    if before == "since" or (before in _BEFORE_DATES and _is_date(tokens, start)):
        return Complement(joined(tokens[: start - 1]).lower(), (), tuple(tokens[start - 1 :]))
    items, end = _items(tokens, start)
    return Complement(joined(tokens[:start]).lower(), items, tuple(tokens[end:]))


def _items(tokens: Sequence[Token], start: int) -> tuple[tuple[Item, ...], int]:
    found: list[Item] = []
    place = end = start
    while place < len(tokens) and tokens[place].lower not in PHRASE_STOPS:
        end = _item_end(tokens, place)
        if end == place:
            break
        while place < end - 1 and tokens[place].lower in DETERMINERS:
            place += 1
        found.append(Item(unquoted(joined(tokens[place:end]))))
        place = end
        while place < len(tokens) and tokens[place].lower in _LISTING:
            place += 1
        # The preposition may be repeated: `allergic to nuts and to milk`.
        if start > 0 and end < place < len(tokens):
            place += tokens[place].lower == tokens[start - 1].lower
        if place == end:
            break
    return tuple(found), end


def _item_end(tokens: Sequence[Token], place: int) -> int:
    """Returns the end of the noun phrase that begins here; it contains `and` only in quotes."""
    start = place
    while place < len(tokens) and place - start < _MOST_WORDS:
        token = tokens[place]
        if token.lower in _ITEM_ENDS or _is_period(tokens, place):
            break
        if not token.is_word and token.text not in _IN_NUMBERS:
            break
        place += 1
    return place


def is_quantity(word: str) -> bool:
    """Whether the word, in lower case, is a number, a weekday or a month."""
    is_day = word in _CALENDAR or word.removesuffix("s") in DAYS
    return is_day or word[0].isdigit() or word in _NUMBERS


def states_quantity(tokens: Sequence[Token]) -> bool:
    """Whether there is a number, a weekday or a month in the words."""
    return any(is_quantity(token.lower) for token in tokens)


def is_period(word: str) -> bool:
    """Whether the word, in lower case, is a number, a time of the calendar, or a part of one."""
    return is_quantity(word) or word.removesuffix("s") in _PERIODS


def _is_date(tokens: Sequence[Token], place: int) -> bool:
    """Whether a month, a weekday or a year begins here."""
    word = tokens[place].lower if place < len(tokens) else ""
    return word in _CALENDAR or bool(_YEAR.fullmatch(word)) or _is_period(tokens, place)


def _is_period(tokens: Sequence[Token], place: int) -> bool:
    """Whether words such as `last week` or `two months ago` begin here."""
    first, second, third, *_ = [*(token.text for token in tokens[place : place + 3]), "", "", ""]
    is_over = f"{first} {second}" in {"any more", "any longer", "no longer", "no more"}
    is_rate = (first in {"a", "per"} and second in _PERIODS) or second == "times"
    return (
        is_over
        or is_rate
        or (first in _PARTS and second in {"the", "of"})
        or (first in _BEFORE_PERIODS and second.lower() in _PERIODS)
        or third == "ago"
    )
