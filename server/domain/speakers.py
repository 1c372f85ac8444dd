"""Whose a statement is, and which memories its speaker may change.

- Only what a user says changes or deletes a memory; an assistant or a tool never does.
- The user of the scope, whose messages bear no name, may change every memory of the scope.
- A speaker with a name may change what they said themselves, what is about them, and what no user
  said. What another person or the user of the scope said of somebody else stays as it is.
- What an assistant or a tool says is remembered as its own statement, never as a fact of the user:
  the text begins with `Assistant`, `Tool` or the name that the message bears.
"""

from __future__ import annotations

from collections.abc import Iterable

from server.domain.conversation import Message, Role
from server.domain.graph import entity_key
from server.domain.inference import Candidate

_USER_KEYS = frozenset({entity_key("user"), entity_key("the user")})
_ARTICLE = "the "


def may_change(message: Message, candidate: Candidate) -> bool:
    """Whether the message's speaker may have the candidate changed or deleted."""
    if message.role is not Role.USER:
        return False
    if message.name is None or candidate.role is not Role.USER:
        return True
    speaker = entity_key(message.name)
    return (
        (candidate.name is not None and entity_key(candidate.name) == speaker)
        or begins_with(candidate.text, message.name)
        or any(relation.source.key == speaker for relation in candidate.relations)
    )


def is_own_statement(message: Message, text: str) -> bool:
    """Whether the text tells what the message says as a statement of its speaker.

    What users say needs no such mark.
    """
    if message.role is Role.USER:
        return True
    names = [message.role.value, *([message.name] if message.name else [])]
    return any(begins_with(text, name) for name in names)


def user_keys(messages: Iterable[Message]) -> frozenset[str]:
    """The keys of the entities that stand for the users of a conversation."""
    named = (m.name for m in messages if m.role is Role.USER and m.name is not None)
    return _USER_KEYS.union(map(entity_key, named))


def begins_with(text: str, name: str) -> bool:
    """Whether the text begins with the name, as a whole word and with or without an article."""
    folded, wanted = entity_key(text), entity_key(name)
    rest = folded.removeprefix(_ARTICLE)
    for start in {folded, rest}:
        if wanted and start.startswith(wanted) and not start[len(wanted) :][:1].isalnum():
            return True
    return False
