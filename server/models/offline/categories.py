"""Decides by words which categories a fact has, and whether it matches a request's wishes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache

from server.core.text import english_stem, words
from server.memories.add.inference import Category
from server.models.offline.lexicon import FUNCTION_WORDS, KINSHIP, PETS, listed, lists

MAX_CATEGORIES = 3
_FALLBACK = "misc"

_MORE_KEYWORDS = {"family": PETS | KINSHIP.keys(), "professional_details": listed("jobs")}
_KEYWORD_STEMS = {
    name: frozenset(map(english_stem, found | _MORE_KEYWORDS.get(name, frozenset())))
    for name, found in lists("categories").items()
}

# Words that only phrase a request such as `only food preferences`; the others are its subject.
_ASKING = FUNCTION_WORDS | listed("asking")
_PREFERENCE = frozenset({"preference", "preferences"})


def _stems(text: str, without: frozenset[str] = frozenset()) -> frozenset[str]:
    found = (word.lower().removesuffix("'s") for word in words(text))
    return frozenset(english_stem(word) for word in found if word not in without)


@lru_cache(maxsize=256)
def keyword_stems(category: Category) -> frozenset[str]:
    """Returns the stems of a category's keywords: built-in ones, its name and description."""
    own = _stems(f"{category.name.replace('_', ' ')} {category.description}", _ASKING)
    return _KEYWORD_STEMS.get(category.name, frozenset()) | own


@lru_cache(maxsize=64)
def _named_by_stem(categories: tuple[Category, ...]) -> dict[str, list[str]]:
    """Returns the categories of each stem."""
    found = defaultdict(list)
    for category in categories:
        for stem in keyword_stems(category):
            found[stem].append(category.name)
    return dict(found)


def categories_of(text: str, categories: Sequence[Category]) -> tuple[str, ...]:
    """Returns at most three categories, by number of matching words; `misc` if none matches."""
    named, names = _named_by_stem(tuple(categories)), [category.name for category in categories]
    scores = Counter(name for stem in _stems(text) for name in named.get(stem, ()))
    best = sorted(scores, key=lambda name: (-scores[name], names.index(name)))
    if best or _FALLBACK not in names:
        return tuple(best[:MAX_CATEGORIES])
    return (_FALLBACK,)


class Filter:
    """A wish such as `only food preferences`, as a list of words.

    A fact matches if it shares a stem with the wish, or has a keyword of a category that the wish
    names. A wish without such words matches every fact.
    """

    def __init__(self, wish: str, categories: Sequence[Category]) -> None:
        # `Food preferences` is about food; `preferences` alone is about preferences.
        stems = _stems(wish, _ASKING | _PREFERENCE) or _stems(wish, _ASKING)
        named = [c for c in categories if stems & _stems(c.name.replace("_", " "))]
        self._stems = stems.union(*map(keyword_stems, named))

    def matches(self, text: str) -> bool:
        """Whether the fact matches the wish."""
        return not self._stems or bool(self._stems & _stems(text))
