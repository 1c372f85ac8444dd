"""Finds the speaker whose words a question asks for.

"What did Caroline paint?" is mostly answered by Caroline's messages, "When did I move?" by the
user's and "What did you recommend?" by the assistant's. The result is a preference and not a
filter, because others may have mentioned it too. Names are recognised in every language, pronouns
only in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from server.memories.conversation import Role

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


def speakers_asked(question: str, speakers: Iterable[Speaker]) -> frozenset[Speaker] | None:
    """Returns the speakers whose words the question asks for; None if it asks for none of them.

    Names take precedence over pronouns. A pronoun asks for a role.
    """
    known = frozenset(speakers)
    asked = question.casefold()
    named = frozenset(speaker for speaker in known if _is_named(speaker[1], asked))
    if named:
        return named if named != known else None
    role = _role_asked(asked)
    of_role = frozenset(speaker for speaker in known if speaker[0] == role)
    return of_role if of_role and of_role != known else None


def _is_named(name: str | None, asked: str) -> bool:
    """Whether the question contains the name or its first word."""
    words = (name or "").casefold().split()
    return any(
        re.search(rf"(?<!\w){re.escape(part)}(?!\w)", asked)
        for part in (" ".join(words), *words[:1])
        if len(part) > 1
    )


def _role_asked(asked: str) -> Role | None:
    if _YOU.search(asked):
        return Role.ASSISTANT
    if _FIRST_PERSON.search(asked):
        return Role.USER
    return None
