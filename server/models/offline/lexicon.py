"""The words that decide what a clause is, from `words.toml`, and the forms of verbs."""

from __future__ import annotations

import tomllib
from importlib.resources import files

from server.core.words import english_stem

_LISTS: dict[str, dict[str, str]] = tomllib.loads(
    files("server.models.offline").joinpath("words.toml").read_text(encoding="utf-8")
)


def word_set(text: str) -> frozenset[str]:
    """The words of a list that is written as running text."""
    return frozenset(text.split())


def stem_set(text: str) -> frozenset[str]:
    """The stems of such a list."""
    return frozenset(map(english_stem, text.split()))


def words_of(name: str, table: str = "english") -> frozenset[str]:
    """The words of a list in `words.toml`."""
    return word_set(_LISTS[table][name])


def any_of(name: str, table: str = "english") -> str:
    """A list of phrases in `words.toml`, one a line, as alternatives of a regular expression."""
    return "|".join(_LISTS[table][name].strip().splitlines())


def pairs_of(name: str) -> dict[str, str]:
    """A list of `word:meaning` in `words.toml`."""
    return dict(pair.split(":") for pair in _LISTS["english"][name].split())


def category_words() -> dict[str, frozenset[str]]:
    """The words that speak for each built-in category."""
    return {name: word_set(text) for name, text in _LISTS["categories"].items()}


PRONOUNS = word_set("i we he she they you it")
AUXILIARIES = words_of("auxiliaries")
MODALS = words_of("modals")
NEGATED = {
    "don't": "do", "doesn't": "do", "didn't": "do", "won't": "will", "isn't": "is", "aren't": "are",
    "wasn't": "was", "weren't": "were", "haven't": "have", "hasn't": "have", "hadn't": "had",
    "can't": "can", "cannot": "can", "couldn't": "could", "wouldn't": "would", "ain't": "is",
}  # fmt: skip
ADVERBS = words_of("adverbs")
LIMITING = words_of("limiting")
UNREAL = words_of("unreal")
CONDITIONAL = words_of("conditional")
REASON_OR_TIME = words_of("reason_or_time")
QUESTION_WORDS = words_of("question_words")
EMBEDDING = stem_set(_LISTS["english"]["embedding"])
NEVER_FACTS = stem_set(_LISTS["english"]["never_facts"])
TASTES = stem_set(_LISTS["english"]["tastes"])
DISTASTES = stem_set(_LISTS["english"]["distastes"])
CONSUMING = stem_set(_LISTS["english"]["consuming"])
POSSESSING = stem_set(_LISTS["english"]["possessing"])
DISPOSING = stem_set(_LISTS["english"]["disposing"])
STOPPING = stem_set(_LISTS["english"]["stopping"])
ENDING = stem_set(_LISTS["english"]["ending"])
LEAVING = stem_set(_LISTS["english"]["leaving"])
ACTIVITIES = stem_set(_LISTS["english"]["activities"])
CONSUMING |= ACTIVITIES
VERBS = words_of("verbs")
MAYBE_NOUNS = words_of("maybe_nouns")
PREPOSITIONS = words_of("prepositions")
DETERMINERS = words_of("determiners")
STATES = words_of("states")
DIETS = words_of("diets")
KINSHIP = pairs_of("kinship")
SYMMETRIC = words_of("symmetric")
UNIQUE_KIN = words_of("unique_kin")
SEVERAL_KIN = words_of("several_kin")
FEMALE_KIN = words_of("female_kin")
MALE_KIN = words_of("male_kin")
PETS = words_of("pets")
JOBS = words_of("jobs")
MARITAL = words_of("marital")
NOT_NAMES = words_of("not_names")

_JOB_ENDINGS = tuple(words_of("job_endings"))
_IRREGULAR = pairs_of("irregular")
_IRREGULAR_PAST = (
    frozenset(_IRREGULAR)
    - words_of("same_in_the_past")
    - word_set("am is are been being has dying lying")
)
_NEVER_PAST = words_of("never_past")
_UNCHANGED = MODALS | word_set("will did had was")
_THIRD_PERSON = {
    "am": "is", "are": "is", "were": "was", "have": "has", "do": "does", "don't": "doesn't",
    "haven't": "hasn't", "ain't": "isn't", "aren't": "isn't",
}  # fmt: skip


def is_past(word: str) -> bool:
    """Whether the word is a verb in the past tense, as far as its look tells."""
    return word in _IRREGULAR_PAST or (word.endswith("ed") and word not in _NEVER_PAST)


def is_job(word: str) -> bool:
    """Whether the word is an occupation, as far as its ending tells."""
    return word in JOBS or word.endswith(_JOB_ENDINGS)


def verb_stem(word: str) -> str:
    """What all forms of a verb have in common."""
    return english_stem(_IRREGULAR.get(word, word))


def third_person(verb: str) -> str:
    """The form for he, she or it: `study` becomes `studies`."""
    if verb in _THIRD_PERSON:
        return _THIRD_PERSON[verb]
    if verb in _UNCHANGED or verb in NEGATED or is_past(verb):
        return verb
    if verb.endswith(("s", "x", "z", "ch", "sh", "o")):
        return verb + "es"
    if verb.endswith("y") and verb[-2:-1] not in {"a", "e", "i", "o", "u", ""}:
        return verb[:-1] + "ies"
    return verb + "s"
