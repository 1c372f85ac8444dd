"""The words by which English is read, from `words.toml`, and the forms of verbs and nouns."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from typing import Any, Final

from server.core.patterns import Patterns, data_file
from server.core.text import english_stem
from server.memories.add.evidence import HEDGES
from server.memories.conversation import COURTESIES

PACKAGE: Final = "server.models.offline"
_TABLES: Final[dict[str, Any]] = data_file(PACKAGE, "words")


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a list that is written as running text."""
    return frozenset(text.split())


def listed(name: str, table: str = "english") -> frozenset[str]:
    """Returns the words of a list in `words.toml`."""
    return word_set(_TABLES[table][name])


def table(name: str) -> dict[str, str]:
    """Returns a table of `words.toml`."""
    found: dict[str, str] = _TABLES[name]
    return found


def lists(table: str) -> dict[str, frozenset[str]]:
    """Returns all lists of a table in `words.toml`."""
    return {name: word_set(text) for name, text in _TABLES[table].items()}


def pairs(name: str) -> dict[str, str]:
    """Returns a list of `word:meaning` in `words.toml`."""
    found = (pair.split(":") for pair in _TABLES["english"][name].split())
    return {word.replace("+", " "): meaning for word, meaning in found}


def stems(words: str | Iterable[str]) -> frozenset[str]:
    """Returns the stems of words."""
    return frozenset(map(english_stem, words.split() if isinstance(words, str) else words))


AUXILIARIES: Final = word_set("do does did am is are was were have has had will")
MODALS: Final = word_set("would could should might may must shall can")
NEGATED: Final = {
    negated.replace("'", apostrophe): word
    for word in (AUXILIARIES | MODALS) - {"am", "will", "shall", "may", "can"}
    for negated in (f"{word}n't",)
    for apostrophe in ("'", "")
} | {"can't": "can", "cant": "can", "cannot": "can", "won't": "will", "wont": "will", "ain't": "is"}
"""Negated auxiliaries, with and without their apostrophe, and what they deny."""
HELPING: Final = AUXILIARIES | MODALS | NEGATED.keys()

PRONOUNS: Final = word_set("i we he she they you it")
ADVERBS: Final = listed("adverbs")
PREPOSITIONS: Final = listed("prepositions")
DETERMINERS: Final = listed("determiners")
CONJUNCTIONS: Final = listed("conjunctions")
TIMES: Final = listed("times")
PERIODS: Final = listed("periods")
DAYS: Final = frozenset(map(str.lower, calendar.day_name))
MONTHS: Final = frozenset(map(str.lower, calendar.month_name[1:]))
NUMBERS: Final = listed("numbers")
KINSHIP: Final = pairs("kinship")
PETS: Final = listed("pets")
FUNCTION_WORDS: Final = PRONOUNS | DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES
PHRASE_ENDS: Final = (
    (PREPOSITIONS - {"of"})
    | (ADVERBS - {"no"})
    | AUXILIARIES
    | listed("question_words")
    | listed("phrase_ends")
)
"""Words at which a noun phrase ends."""

NOT_NAMES: Final = (
    FUNCTION_WORDS | MODALS | NEGATED.keys() | HEDGES | TIMES | PHRASE_ENDS | listed("not_names")
    | DAYS | {f"{day}s" for day in DAYS} | MONTHS
)  # fmt: skip
"""Words with a capital that are not names, such as the first of a sentence."""

TASTES: Final = stems(listed("tastes"))
DISTASTES: Final = stems(listed("distastes"))
POSSESSING: Final = stems(listed("possessing"))
USING: Final = stems(listed("using"))
VERBS: Final = frozenset().union(
    *map(
        listed, ("verbs", "tastes", "distastes", "using", "possessing", "disposing", "giving_up")
    )
)
VERB_STEMS: Final = stems(VERBS)
_IRREGULAR: Final = pairs("irregular")
_IRREGULAR_PAST = _IRREGULAR.keys() - word_set("am is are being has dying lying does goes")
_NEVER_PAST = word_set("need feed breed bleed speed seed weed")
_THIRD_PERSON = {"am": "is", "are": "is", "were": "was", "have": "has"}


def is_past(word: str) -> bool:
    """Whether the word is a verb in the past tense, judging by its form."""
    is_regular = word.endswith("ed") and word not in _NEVER_PAST and "-" not in word
    return is_regular or word in _IRREGULAR_PAST


def is_gerund(word: str) -> bool:
    """Whether the word is a known verb in -ing."""
    return word.endswith("ing") and english_stem(word) in VERB_STEMS


def verb_stem(word: str) -> str:
    """Returns the common stem of all forms of a verb."""
    return english_stem(_IRREGULAR.get(word, word))


def third_person(verb: str) -> str:
    """Returns the form for he, she or it: `study` becomes `studies`."""
    if verb in _THIRD_PERSON:
        return _THIRD_PERSON[verb]
    if verb in NEGATED:
        full, third = NEGATED[verb], third_person(NEGATED[verb])
        return verb if third == full else f"{third}n't"
    if verb in MODALS or verb in {"will", "was", "is", "has", "does"} or is_past(verb):
        return verb
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2:-1] not in {"a", "e", "i", "o", "u", ""}:
        return verb[:-1] + "ies"
    return verb + "s"


THIRD_PERSONS: Final = frozenset(map(third_person, VERBS))


def kind_of(word: str) -> tuple[str, str] | None:
    """Returns relation and type for a noun such as `sister` or `dogs`; None for others."""
    for noun in (word, word.removesuffix("s"), word.removesuffix("ren")):
        if noun in KINSHIP:
            return KINSHIP[noun], "person"
        if noun in PETS:
            return "has_pet", "animal"
    return None


def is_quantity(word: str) -> bool:
    """Whether the word, in lower case, is a number, a weekday or a month."""
    calendar_name = word.removesuffix("s") in DAYS or word in MONTHS
    return calendar_name or word[:1].isdigit() or word in NUMBERS


def is_period(word: str) -> bool:
    """Whether the word, in lower case, is a number or a time of the calendar or the day."""
    return is_quantity(word) or word.removesuffix("s") in PERIODS


_OTHER_LISTS: Final[dict[str, Iterable[str]]] = {
    "courtesies": COURTESIES,
    "kinship": KINSHIP,
    "months": {*MONTHS, *(name[:3] for name in MONTHS), "sept"},
    "forget": listed("forget", "languages"),
    "disposing_of": stems(listed("disposing")),
    "giving_up_of": stems(listed("giving_up")),
    "no_object": PHRASE_ENDS | {"back", "out", "down"},
}


def _words_named(name: str) -> Iterable[str]:
    return _OTHER_LISTS.get(name) or listed(name)


pattern: Final = Patterns(data_file(PACKAGE, "patterns"), _words_named)
"""The patterns of `patterns.toml`, in which a list of words can be named."""
