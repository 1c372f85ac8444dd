"""The words by which English is read, from `words.toml`, and the forms of verbs and nouns."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from typing import Final

from server.core.patterns import Patterns, data_file
from server.core.text import english_stem
from server.memories.add.evidence import HEDGES
from server.memories.conversation import COURTESIES

PACKAGE: Final = "server.models.offline"
TABLES: Final[dict[str, dict[str, str]]] = data_file(PACKAGE, "words")
_ENGLISH: Final = TABLES["english"]


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a list that is written as running text."""
    return frozenset(text.split())


def listed(name: str, table: str = "english") -> frozenset[str]:
    """Returns the words of a list in `words.toml`."""
    return word_set(TABLES[table][name])


def pairs(name: str) -> dict[str, str]:
    """Returns a list of `word:meaning` in `words.toml`."""
    return dict(pair.split(":") for pair in _ENGLISH[name].split())


def stems(words: str | Iterable[str]) -> frozenset[str]:
    """Returns the stems of words."""
    return frozenset(map(english_stem, words.split() if isinstance(words, str) else words))


AUXILIARIES: Final = word_set("do does did am is are was were have has had will")
MODALS: Final = word_set("would could should might may must shall can")
NEGATED: Final = {
    f"{word}n{apostrophe}t": word for word in AUXILIARIES | MODALS for apostrophe in ("'", "")
} | {"can't": "can", "cant": "can", "cannot": "can", "won't": "will", "wont": "will", "ain't": "is"}
"""Negated auxiliaries, with and without their apostrophe, and what they deny."""

HELPING: Final = AUXILIARIES | MODALS | NEGATED.keys()
PRONOUNS: Final = word_set("i we he she they you it")
ADVERBS, PREPOSITIONS = listed("adverbs"), listed("prepositions")
DETERMINERS, CONJUNCTIONS = listed("determiners"), listed("conjunctions")
QUESTION_WORDS: Final = listed("question_words")
TIMES, PERIODS, NUMBERS = listed("times"), listed("periods"), listed("numbers")
CALENDAR: Final = word_set(" ".join([*calendar.day_name, *calendar.month_name]).lower())
KINSHIP, PETS = pairs("kinship"), dict.fromkeys(listed("pets"), "has_pet")
FUNCTION_WORDS: Final = PRONOUNS | DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES
PHRASE_ENDS: Final = PREPOSITIONS | ADVERBS | AUXILIARIES | QUESTION_WORDS | listed("phrase_ends")
"""Words at which a noun phrase ends."""

NOT_NAMES: Final = (
    FUNCTION_WORDS | HELPING | HEDGES | TIMES | PHRASE_ENDS | listed("not_names")
    | CALENDAR | {f"{day}s" for day in CALENDAR}
)  # fmt: skip
"""Words with a capital that are not names, such as the first of a sentence."""

TASTES, DISTASTES = stems(_ENGLISH["tastes"]), stems(_ENGLISH["distastes"])
POSSESSING, USING = stems(_ENGLISH["possessing"]), stems(_ENGLISH["using"])
VERBS: Final = frozenset().union(
    *map(listed, word_set("verbs tastes distastes using possessing disposing giving_up"))
)
VERB_STEMS: Final = stems(VERBS)
_IRREGULAR: Final = pairs("irregular")
_NO_PAST = word_set(
    "am is are being has dying lying does goes need feed breed speed seed weed red bed shed hundred"
)
_THIRD_PERSON = {"am": "is", "are": "is", "were": "was", "have": "has"}
_UNCHANGED = MODALS | word_set("will was is has does")


def is_past(word: str) -> bool:
    """Whether the word is a verb in the past tense, judging by its form."""
    return (word.endswith("ed") or word in _IRREGULAR) and word not in _NO_PAST and "-" not in word


def is_gerund(word: str) -> bool:
    """Whether the word is a known verb in -ing."""
    return word.endswith("ing") and english_stem(word) in VERB_STEMS


def verb_stem(word: str) -> str:
    """Returns the common stem of all forms of a verb."""
    return english_stem(_IRREGULAR.get(word, word))


def third_person(verb: str) -> str:
    """Returns the form for he, she or it: `study` becomes `studies`."""
    if verb in NEGATED:
        third = third_person(NEGATED[verb])
        return verb if third == NEGATED[verb] else f"{third}n't"
    if verb in _THIRD_PERSON or verb in _UNCHANGED or is_past(verb):
        return _THIRD_PERSON.get(verb, verb)
    if verb.endswith("y") and verb[-2:-1] not in {"a", "e", "i", "o", "u", ""}:
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "x", "z", "ch", "sh", "o")) else "s")


THIRD_PERSONS: Final = frozenset(map(third_person, VERBS))


def is_finite(word: str) -> bool:
    """Whether the word is a verb that can stand after a noun."""
    return word in HELPING or is_past(word) or word in THIRD_PERSONS


def kind_of(word: str) -> tuple[str, str] | None:
    """Returns relation and type for a noun such as `sister` or `dogs`; None for others."""
    for noun in (word, word.removesuffix("s"), word.removesuffix("ren")):
        if relation := KINSHIP.get(noun) or PETS.get(noun):
            return relation, "person" if noun in KINSHIP else "animal"
    return None


def is_quantity(word: str) -> bool:
    """Whether the word, in lower case, is a number, a weekday or a month."""
    return word[:1].isdigit() or {*word.removesuffix("s").split("-")} <= CALENDAR | NUMBERS


_OTHER_LISTS: Final[dict[str, Iterable[str]]] = {
    "courtesies": COURTESIES,
    "kinship": KINSHIP,
    "months": {name.lower() for full in calendar.month_name[1:] for name in (full, full[:3])},
    "forget": listed("forget", "languages"),
    "disposing_of": stems(_ENGLISH["disposing"]),
    "giving_up_of": stems(_ENGLISH["giving_up"]),
    "no_object": PHRASE_ENDS | {"back", "out", "down"},
}
pattern: Final = Patterns(
    data_file(PACKAGE, "patterns"), lambda name: _OTHER_LISTS.get(name) or listed(name)
)
"""The patterns of `patterns.toml`, in which a list of words can be named."""
