"""The word lists that classify clauses, the forms of verbs, and the rules of what verbs state.

They are read from `words.toml` and `rules.toml`.
"""

from __future__ import annotations

import calendar
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from server.core.patterns import Patterns, data_file
from server.core.text import english_stem
from server.memories.add.evidence import HEDGES
from server.memories.conversation import COURTESIES

_DATA: Final = "server.models.offline"
_TABLES: Final[dict[str, dict[str, str]]] = data_file(_DATA, "words")


def table(name: str) -> dict[str, str]:
    """Returns a table of `words.toml`."""
    return _TABLES[name]


def word_set(text: str) -> frozenset[str]:
    """Returns the words of a list that is written as running text."""
    return frozenset(text.split())


def listed(name: str, table: str = "english") -> frozenset[str]:
    """Returns the words of a list in `words.toml`."""
    return word_set(_TABLES[table][name])


def stems(text: str) -> frozenset[str]:
    """Returns the stems of the words of a running text."""
    return frozenset(map(english_stem, text.split()))


def lists(table: str) -> dict[str, frozenset[str]]:
    """Returns all lists of a table in `words.toml`."""
    return {name: word_set(text) for name, text in _TABLES[table].items()}


def verbs_listed(name: str) -> frozenset[str]:
    """Returns the stems of the verbs of a list in `words.toml`."""
    return stems(_TABLES["english"][name])


def pairs(name: str) -> dict[str, str]:
    """Returns a list of `word:meaning` in `words.toml`."""
    return dict(pair.split(":") for pair in _TABLES["english"][name].split())


def _named_words(name: str) -> Iterable[str]:
    return _OTHER_LISTS.get(name) or listed(name)


pattern: Final = Patterns(data_file(_DATA, "patterns"), _named_words)
"""The patterns of `patterns.toml`, for text in any case."""


DAYS: Final = tuple(map(str.lower, calendar.day_name))
"""The weekdays in their order, from Monday."""

MONTHS: Final = tuple(map(str.lower, calendar.month_name[1:]))

AUXILIARIES: Final = word_set("do does did am is are was were have has had will")
MODALS: Final = word_set("would could should might may must shall can")
NEGATED: Final = {
    negated.replace("'", apostrophe): word
    for word in (AUXILIARIES | MODALS) - {"am", "will", "shall", "may", "can"}
    for negated in (f"{word}n't",)
    for apostrophe in ("'", "")
} | {"can't": "can", "cant": "can", "cannot": "can", "won't": "will", "wont": "will", "ain't": "is"}
"""Negated auxiliaries, with and without their apostrophe, and what they deny."""

PRONOUNS: Final = word_set("i we he she they you it")
GENDERS_MEANT: Final = {
    "he": {"he", ""},
    "his": {"he", ""},
    "she": {"she", ""},
    "her": {"she", ""},
    "they": {"they"},
}
"""The pronouns for others, and what `gender_of` returns for those whom they can mean."""
ADVERBS: Final = listed("adverbs")
PREPOSITIONS: Final = listed("prepositions")
DETERMINERS: Final = listed("determiners")
CONJUNCTIONS: Final = listed("conjunctions")
QUESTION_WORDS: Final = listed("question_words")
TIMES: Final = listed("times")
TASTES: Final = verbs_listed("tastes")
DISTASTES: Final = verbs_listed("distastes")
USING: Final = verbs_listed("using")
POSSESSING: Final = verbs_listed("possessing")
PERSON: Final = "person"
ANIMAL: Final = "animal"
KINSHIP: Final = pairs("kinship")
PETS: Final = listed("pets")
FUNCTION_WORDS: Final = PRONOUNS | DETERMINERS | PREPOSITIONS | CONJUNCTIONS | AUXILIARIES
PHRASE_STOPS: Final = (
    (PREPOSITIONS - {"of"})
    | (ADVERBS - {"no"})
    | AUXILIARIES
    | QUESTION_WORDS
    | listed("phrase_stops")
)
_OTHER_LISTS: Final[dict[str, Iterable[str]]] = {
    "courtesies": COURTESIES,
    "kinship": KINSHIP,
    "months": {*MONTHS, *(name[:3] for name in MONTHS), "sept"},
    "forget": listed("forget", "languages"),
    "no_object": PHRASE_STOPS | {"back", "out", "down"},
}
"""Lists that patterns may name in addition to those of the file."""

NOT_NAMES: Final = (
    FUNCTION_WORDS | MODALS | NEGATED.keys() | ADVERBS | QUESTION_WORDS | HEDGES | TIMES
    | PHRASE_STOPS | listed("not_names")
    | {name + end for name in DAYS for end in ("", "s")} | set(MONTHS)
)  # fmt: skip
"""Words with a capital that are not names, such as the first of a sentence."""

_VERB_LISTS = ("verbs", "tastes", "distastes", "using", "possessing", "disposing", "ending")
VERBS: Final = frozenset().union(*map(listed, _VERB_LISTS))
VERB_STEMS: Final = frozenset(map(english_stem, VERBS))
_IRREGULAR: Final = pairs("irregular")
_IRREGULAR_PAST = _IRREGULAR.keys() - word_set("am is are been being has dying lying does goes")
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


def kind_of(word: str) -> tuple[str, str] | None:
    """Returns relation and type for a noun such as `sister` or `dog`; None for others."""
    for noun in (word, word.removesuffix("s"), word.removesuffix("ren")):
        if noun in KINSHIP:
            return KINSHIP[noun], PERSON
        if noun in PETS:
            return "has_pet", ANIMAL
    return None


def is_plural(noun: str) -> bool:
    """Whether a noun is one such as `sisters` or `dogs`."""
    return noun not in KINSHIP and noun not in PETS and kind_of(noun) is not None


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule of the file, which describes the fields."""

    lead: re.Pattern[str]
    rest: re.Pattern[str]
    over: re.Pattern[str] | None
    relations: Sequence[str]
    kind: str = ""
    type: str = ""
    about: str = ""
    named: bool = False
    passive: bool = False


def rules(table: str) -> Mapping[str, Sequence[Rule]]:
    """Returns the rules of a table by the stems of their verbs."""
    found = defaultdict(list)
    for row in data_file(_DATA, "rules")[table]:
        verbs = row.pop("verbs", "") or " ".join(listed(row.pop("list")))
        relations = row.pop("relations", "").split()
        lead, rest = pattern.compiled(row.pop("lead", ".*")), pattern.compiled(row.pop("rest", ""))
        over = pattern.compiled(row.pop("over")) if "over" in row else None
        rule = Rule(lead, rest, over, relations, **row)
        for stem in stems(verbs):
            found[stem].append(rule)
    return found
