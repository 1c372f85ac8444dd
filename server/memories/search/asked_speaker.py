"""Whose words a question asks for.

"What did Caroline paint?" is mostly answered by what Caroline said, "when did I move?" by the user
and "what did you recommend?" by the assistant. That is a preference and not a filter: others may
have told of it. Names count in every language, pronouns in English.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from server.memories.conversation import Role

Speaker: TypeAlias = tuple[str | None, str | None]
"""The role and the name of who said something, as the message has them."""

_TOLD: Final = (
    r"(?:recommend|suggest|advise|propose|say|said|tell|told|give|gave|given|provide|explain|mention"
    r"|describe|outline|offer|write|wrote|list)"
)
# "Can you tell me" and "would you suggest" ask for something new; these ask for what was said.
_YOU: Final = re.compile(
    rf"\b(?:(?:did|have|had) you|you(?:['\u2019]ve| have| had)? (?:just )?{_TOLD}(?:ed|d)"
    rf"|you(?:['\u2019]ve| have| had)? (?:said|told|gave|given|wrote)"
    r"|your (?:advice|suggestions?|recommendations?))\b"
)
_FIRST_PERSON: Final = re.compile(r"\b(?:i|me|my|mine|we|us|our|ours)\b")


def speakers_asked(question: str, speakers: Iterable[Speaker]) -> frozenset[Speaker] | None:
    """Those of the speakers whose words the question asks for; None if it does not say.

    A speaker whom the question names comes before a pronoun. A pronoun asks for a role.
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
    """Whether the question has the name, or the first word of it."""
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
