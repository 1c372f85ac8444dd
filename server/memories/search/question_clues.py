"""Clues in a question: names, the speaker whose words it asks for, and a request for advice."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import log2
from typing import Final, TypeAlias
from uuid import UUID

from server.graph.model import StatedRelation, entity_key
from server.memories.conversation import Role

MAX_NAME_WORDS: Final = 4
"""The maximum number of words in a name."""

MAX_WORDS: Final = 64
"""The maximum number of words of a question that are examined."""

DIRECT_SHARE: Final = 0.2
"""The weight of a relation of a named entity: words mostly find its memory by that name anyway."""

ONE_HOP_SHARE: Final = 0.8
"""The weight of a relation one hop further: no word of the question leads to it."""

_DOUBLINGS_TO_HALF: Final = 6.0

_QUOTES: Final = "\"'`\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e"
_EDGES: Final = _QUOTES + ".,;:!?()[]{}<>\u00bf\u00a1\u2026"
_POSSESSIVES: Final = ("'s", "\u2019s")


@dataclass(frozen=True, slots=True)
class Clue:
    """A memory that states a relation of a question's entity, or a relation one hop further.

    `degree` counts the relations of that entity. `through` counts the relations of the entity in
    between if the relation is one hop further, else it is 0.
    """

    memory_id: UUID
    degree: int
    through: int = 0


@dataclass(frozen=True, slots=True)
class Recollection:
    """The relations found for a question.

    `relations` are the relations of the entities in the question, if they were requested. Without
    `has_entities` the scope has no relations at all.
    """

    clues: Sequence[Clue]
    relations: Sequence[StatedRelation] = ()
    has_entities: bool = True


def names_in(question: str) -> list[str]:
    """Returns the keys of all possible names in the question: runs of one to four words.

    Punctuation around words and possessive endings are ignored.
    """
    words = [stripped for word in question.split()[:MAX_WORDS] if (stripped := word.strip(_EDGES))]
    names: dict[str, None] = {}
    for length in range(min(MAX_NAME_WORDS, len(words)), 0, -1):
        for start in range(len(words) - length + 1):
            name = " ".join(words[start : start + length])
            for form in (name, *_without_possessive(name)):
                names.setdefault(entity_key(form))
    return [name for name in names if name]


def _without_possessive(name: str) -> Sequence[str]:
    """Returns the name without its ending 's, if it has one. That of James' is punctuation."""
    return [name[:-2]] if name.casefold().endswith(_POSSESSIVES) else []


def scores_of(clues: Iterable[Clue]) -> dict[UUID, float]:
    """Returns the score of each memory in the graph arm, from 0 to 1.

    A relation is weighted by the specificity of the question's entity, and one hop further also by
    that of the entity in between: an entity that relates to everything is a weak clue. Several
    paths to a memory are combined as independent evidence.
    """
    missing: dict[UUID, float] = {}
    for clue in clues:
        score = specificity(clue.degree)
        score *= ONE_HOP_SHARE * specificity(clue.through) if clue.through else DIRECT_SHARE
        missing[clue.memory_id] = missing.get(clue.memory_id, 1.0) * (1.0 - score)
    return {memory_id: 1.0 - rest for memory_id, rest in missing.items()}


def specificity(degree: int) -> float:
    """Returns 1 for an entity with one relation, less for more relations, and 0.5 for 64."""
    return 1.0 / (1.0 + log2(max(degree, 1)) / _DOUBLINGS_TO_HALF)


Speaker: TypeAlias = tuple[str | None, str | None]
"""The role and name of a message's speaker."""

# Questions about earlier statements: "can you tell me" and "would you suggest" ask for new ones.
_YOU: Final = re.compile(
    r"\b(?:"
    r"(?:did|have|had) you"
    r"|you(?:['\u2019]ve| have| had)?(?: just| already)? (?:advised|described|explained|gave|given"
    r"|listed|mentioned|offered|outlined|proposed|provided|recommended|said|suggested|told|wrote)"
    r"|your (?:advice|suggestions?|recommendations?)"
    r")\b"
)
_FIRST_PERSON: Final = re.compile(r"\b(?:i|me|my|mine|we|us|our|ours)\b")
_I_SAID: Final = re.compile(
    r"\b(?:"
    r"(?:did|have|had) i"
    r"|i(?:['\u2019]ve| have| had)? (?:asked|brought up|described|mentioned|said|told)"
    r")\b"
)
_BOTH_SAID: Final = re.compile(
    r"\b(?:"
    r"summar(?:y|ies|i[sz]\w*)|overview|recap|remind me"
    r"|our (?:\w+ )?(?:chats?|conversations?|discussions?)"
    r"|we(?:['\u2019]ve| have| had)? (?:\w+ )?(?:decided|discussed|talked)"
    r")\b"
)

_ASKS_FOR_HELP: Final = re.compile(
    r"\b(?:"
    r"(?:can|could|will|would) you|you (?:advise|recommend|suggest|think)"
    r"|(?:can|could|should) (?:i|we)|(?:i|we) (?:can|could|should)"
    r"|how (?:do|would) (?:i|we)|how to|(?:do|would) (?:i|we) need"
    r"|help me|show me|any (?:advice|ideas|recommendations|suggestions|tips)"
    r")\b"
)
_ASKS_FOR_THE_PAST: Final = re.compile(
    r"\b(?:"
    r"(?:did|have|had) (?:i|we|you)|tell me"
    r"|(?:i|we|you)(?:['\u2019]ve| have| had)? (?:brought up|discussed|mentioned|said|talked|told)"
    r")\b"
)
_WORDS_OF_PREFERENCES: Final = "always prefer"


def speakers_asked(question: str, speakers: Iterable[Speaker]) -> frozenset[Speaker] | None:
    """Returns the speakers whose words the question asks for; None if it asks for none or for all.

    "What did Caroline paint?" is mostly answered by Caroline's messages, "When did I move?" by the
    user's and "What did you recommend?" by the assistant's. It is a preference and not a filter,
    because others may have mentioned it too. Names are recognised in every language, pronouns only
    in English. Names take precedence over pronouns. A pronoun asks for a role, but "our chat" and
    a summary are about what all have said.
    """
    known = frozenset(speakers)
    if len(known) <= 1:
        return None
    text = question.casefold()
    named = frozenset(speaker for speaker in known if _is_named(speaker[1], text))
    if named:
        return named if named != known else None
    role = _role_asked(text)
    in_role = frozenset(speaker for speaker in known if speaker[0] == role)
    return in_role if in_role and in_role != known else None


def _is_named(name: str | None, text: str) -> bool:
    """Whether the text contains the name or its first word."""
    words = (name or "").casefold().split()
    return any(
        re.search(rf"(?<!\w){re.escape(part)}(?!\w)", text)
        for part in (" ".join(words), *words[:1])
        if len(part) > 1
    )


def _role_asked(text: str) -> Role | None:
    if _YOU.search(text):
        return Role.ASSISTANT
    if _BOTH_SAID.search(text) and not _I_SAID.search(text):
        return None
    if _FIRST_PERSON.search(text):
        return Role.USER
    return None


def with_preference_words(question: str) -> str:
    """Returns the words to search for: those of the question and, if it asks for help, more.

    Good advice ("What film would you suggest?") depends on preferences that were stated before,
    such as "I prefer short films" or "Always name the director". So the words in which people state
    them are searched for too. Questions about the past need no advice. English only.
    """
    text = question.casefold()
    if not _ASKS_FOR_HELP.search(text):
        return question
    if _ASKS_FOR_THE_PAST.search(text) or _BOTH_SAID.search(text):
        return question
    return f"{question} {_WORDS_OF_PREFERENCES}"
