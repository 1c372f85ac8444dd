"""The request to a language model, its answer, and what a request wants remembered.

The answer comes from an untrusted source: see `server.memories.add.plan` for how it is checked.

`includes` and `excludes` are written in natural language, but only words and categories are
compared, not meanings:

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
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from server.core.text import english_stem
from server.graph.model import Entity, Relation
from server.memories.conversation import Message, Role


@dataclass(frozen=True, slots=True)
class Category:
    """A category that inferred memories may carry."""

    name: str
    description: str = ""


BUILT_IN_CATEGORIES: tuple[Category, ...] = tuple(
    Category(name)
    for name in (
        "personal_details",
        "family",
        "professional_details",
        "sports",
        "travel",
        "food",
        "music",
        "health",
        "technology",
        "hobbies",
        "fashion",
        "entertainment",
        "milestones",
        "user_preferences",
        "misc",
    )
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A memory of the scope that the new messages may repeat, change or contradict.

    `vector` is its embedding, L2-normalised. `entities` and `relations` are those that it states.
    `role` and `name` belong to the speaker of its evidence; a `role` of None means unknown.
    """

    id: UUID
    text: str
    version: int
    immutable: bool
    vector: Sequence[float] = field(default=(), repr=False)
    entities: Sequence[Entity] = ()
    relations: Sequence[Relation] = ()
    role: Role | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class InferenceRequest:
    """The input of a language model.

    Messages and candidates are numbered from 1, and the answer refers to them only by number.
    `messages` include system messages, which give context but are no evidence. `problems` describe
    the faults of an earlier answer to the same request. `known_entities` are entities that the
    scope mentions, also numbered from 1.
    """

    messages: Sequence[Message]
    candidates: Sequence[Candidate]
    categories: Sequence[Category]
    event_time: datetime
    context: Sequence[Message] = ()
    instructions: Sequence[str] = ()
    includes: str | None = None
    excludes: str | None = None
    problems: Sequence[str] = ()
    known_entities: Sequence[Entity] = ()


@dataclass(frozen=True, slots=True)
class ProposedEntity:
    """An entity, as the model names it.

    `aliases` are other names that the text gives it; `known` is the number of the known entity that
    the model identifies it with.
    """

    name: str
    type: str = ""
    aliases: Sequence[str] = ()
    known: int | None = None


@dataclass(frozen=True, slots=True)
class ProposedRelation:
    """A relation, as the model names it."""

    source: str
    relation: str
    target: str


@dataclass(frozen=True, slots=True)
class ProposedOperation:
    """One change that the model proposes.

    `action` should be ADD, UPDATE, DELETE or FORGET; `target` is the number of a candidate (UPDATE,
    DELETE, FORGET); `message` is the number of the message that states the fact, and `quote` the
    passage. DELETE is for a fact that is no longer true according to a message, FORGET for a fact
    that the speaker asks to forget: one FORGET for each candidate that is meant, or one without
    `target` if none is.
    """

    action: str
    text: str
    message: int
    quote: str
    target: int | None = None
    categories: Sequence[str] = ()
    entities: Sequence[ProposedEntity] = ()
    relations: Sequence[ProposedRelation] = ()


@dataclass(frozen=True, slots=True)
class InferenceAnswer:
    """The model's proposals, unchecked, with the model's name and token counts."""

    operations: Sequence[ProposedOperation]
    model: str
    prompt_version: str
    input_tokens: int = 0
    output_tokens: int = 0


_WORD = re.compile(r"[^\W_]+")
_EXCEPTION = re.compile(
    r"\b(?:except|excluding|but|besides|other than|apart from|unless)\b", re.IGNORECASE
)


def _stems(text: str) -> frozenset[str]:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("_", " ")
    return frozenset(map(english_stem, _WORD.findall(folded)))


# Words that only phrase a wish, such as `only remember`; the others are its subject.
_FILLER_STEMS = _stems(
    """only include exclude keep store remember save skip ignore avoid leave omit drop never don
    not any anything everything something thing stuff fact information info detail data memory
    mention relate regard concern about to do with the a an and or of my me i user their his her
    its all every sort kind type topic subject on for from in at that which who is are be was it
    please what ever will no like such as matter important relevant person people out t s"""
)
_PREFERENCE = english_stem("preference")


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
        self._main = _parse_part(main, categories)
        self._exception = _parse_part(wish[match.end() :], categories) if match else None

    def is_about(self, text: str, categories: Sequence[str]) -> bool:
        """Whether a fact has a word or category of the wish. A wish without any fits all facts."""
        return not self._main.stems or self._main.covers(text, categories)

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


def _parse_part(words: str, categories: Sequence[Category]) -> _Part:
    about = _stems(words) - _FILLER_STEMS
    # "Food preferences" is about food; "preferences" alone is about preferences.
    subject = (about - {_PREFERENCE}) or about
    named = {category.name for category in categories if subject & _stems(category.name)}
    return _Part(frozenset(subject), frozenset(named))
