"""Checks a model's answer against a request's `includes` and `excludes`.

These wishes are written in natural language, but only words and categories are compared, not
meanings:

- `excludes`: a fact is left out if it has a category that the wish names, or shares a word with the
  wish. When in doubt, the fact is left out.
- `includes`: if the wish names categories, a fact is kept if it has one of them or shares a word
  with the wish. A wish that names no category, such as "only what concerns my dog", is left to the
  model, because a fact such as "Rex is four" shares no word with it.
- Words after "except", "but" and the like are an exception: "everything except health" as
`includes` leaves out health.

Words are compared by their stems. Only the model decides which facts belong to a category.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from server.memories.add.inference import Category, InferenceRequest

_WORD = re.compile(r"[^\W_]+")
_EXCEPTION = re.compile(
    r"\b(?:except|excluding|but|besides|other than|apart from|unless)\b", re.IGNORECASE
)
_ENDINGS = ("ations", "ation", "ings", "ing", "ies", "ied", "es", "ed", "al", "y", "e", "s")
_SHORTEST_STEM = 3


def _stem(word: str) -> str:
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_STEM:
            stem = word.removesuffix(ending)
            # "travelling" and "travel", "planned" and "plan".
            return stem[:-1] if stem[-1] == stem[-2] and len(stem) > _SHORTEST_STEM else stem
    return word


def _stems(text: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    return frozenset(map(_stem, _WORD.findall(folded)))


# Words that only phrase a wish; the remaining words are its subject.
_ASKING = _stems(
    """only include exclude keep store remember save skip ignore avoid leave omit drop never don
    not any anything everything something thing stuff fact information info detail data memory
    mention relate regard concern about to do with the a an and or of my me i user their his her
    its all every sort kind type topic subject on for from in at that which who is are be was it
    please what ever will no like such as matter important out t s"""
)
_PREFERENCE = _stem("preference")


@dataclass(frozen=True, slots=True)
class _Part:
    """The subject of one part of a wish: stems of its words, and names of categories."""

    stems: frozenset[str]
    categories: frozenset[str]

    def covers(self, text: str, categories: Sequence[str]) -> bool:
        return bool(self.categories.intersection(categories) or self.stems & _stems(text))


class Wish:
    """A wish such as `only food preferences`, parsed with the categories of its request."""

    def __init__(self, wish: str, categories: Sequence[Category]) -> None:
        match = _EXCEPTION.search(wish)
        main = wish[: match.start()] if match else wish
        self._main = _read(main, categories)
        self._exception = _read(wish[match.end() :], categories) if match else None

    def includes(self, text: str, categories: Sequence[str]) -> bool:
        """Whether a fact is to be remembered, judging by words and categories."""
        if self._exception is not None and self._exception.covers(text, categories):
            return False
        return not self._main.categories or self._main.covers(text, categories)

    def excludes(self, text: str, categories: Sequence[str]) -> bool:
        """Whether a fact is to be left out."""
        if self._exception is not None:
            if self._exception.covers(text, categories):
                return False
            if not self._main.stems:
                return True
        return self._main.covers(text, categories)


class MemoryPolicy:
    """Decides whether a fact is to be remembered, by a request's includes and excludes."""

    def __init__(self, request: InferenceRequest) -> None:
        self._includes = Wish(request.includes, request.categories) if request.includes else None
        self._excludes = Wish(request.excludes, request.categories) if request.excludes else None

    def __call__(self, text: str, categories: Sequence[str]) -> bool:
        """Whether the fact is allowed. Excludes take precedence. Deletions are always allowed."""
        if not text:
            return True
        if self._excludes is not None and self._excludes.excludes(text, categories):
            return False
        return self._includes is None or self._includes.includes(text, categories)


def _read(words: str, categories: Sequence[Category]) -> _Part:
    about = _stems(words) - _ASKING
    # "Food preferences" is about food; "preferences" alone is about preferences.
    about = about - {_PREFERENCE} or about
    named = {category.name for category in categories if about & _stems(category.name)}
    return _Part(frozenset(about), frozenset(named))
