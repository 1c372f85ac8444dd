"""What a request wants kept and left out, as far as words tell."""

from __future__ import annotations

from collections.abc import Sequence

from server.adapters.offline.categories import keyword_stems
from server.adapters.offline.words import content_stems, word_set
from server.domain.inference import Category

# Words of the instruction itself; what remains is what it is about.
_INSTRUCTION = word_set(
    """only include includes exclude excludes keep store remember save skip ignore avoid leave out
    drop omit anything everything something things thing stuff facts fact information info details
    detail data memories memory mentions mention related relating regarding concerning please don't
    never always all like such kind kinds type types topic topics important relevant user
    users person people other no not"""
)
_PREFERENCE = frozenset({"preference", "preferences"})


class Filter:
    """A wish such as `only food preferences`.

    It is read as a list of words: a fact meets it if the two share a stem, or if the fact has a
    keyword of a category that the wish names. A wish of no such words is met by every fact. This is
    word matching, not understanding.
    """

    def __init__(self, wish: str, categories: Sequence[Category]) -> None:
        # `Food preferences` is about food; `preferences` alone is about these.
        self._stems = set(
            content_stems(wish, without=_INSTRUCTION | _PREFERENCE)
            or content_stems(wish, without=_INSTRUCTION)
        )
        named = [
            category
            for category in categories
            if self._stems & set(content_stems(category.name.replace("_", " ")))
        ]
        self._stems = self._stems.union(*map(keyword_stems, named))

    @property
    def is_empty(self) -> bool:
        """Whether the wish says nothing that words can tell."""
        return not self._stems

    def matches(self, text: str) -> bool:
        """Whether the fact has to do with the wish."""
        return bool(self._stems.intersection(content_stems(text)))


def is_wanted(text: str, includes: Filter | None, excludes: Filter | None) -> bool:
    """Whether a fact is to be kept; what is excluded is not, even if it is included too."""
    if excludes is not None and excludes.matches(text):
        return False
    return includes is None or includes.is_empty or includes.matches(text)
