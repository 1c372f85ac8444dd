"""Refusing an add, before anything is stored, whose answer its client could not receive."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from server.application.add_memories import AddMemoriesCommand, AddMemoriesOutcome
from server.domain.answer_size import MAX_ITEMS_BYTES, utf8_bytes
from server.domain.conversation import Role, spoken
from server.domain.errors import AnswerTooLarge

# More than what goes with a text takes: ids, enums, numbers, tags and lengths.
_BYTES_BESIDE_TEXT = 128
_LONGEST_CHARACTER = 4


def require_receivable_verbatim(command: AddMemoriesCommand) -> None:
    """Lets an add pass whose messages can all be answered as they are.

    Raises:
        AnswerTooLarge: they cannot.
    """
    messages = (m for m in spoken(command.messages) if m.role is not Role.SYSTEM)
    _require_room([message.content or "" for message in messages])


def require_receivable(outcome: AddMemoriesOutcome) -> None:
    """Lets an answer pass that every client can receive.

    Raises:
        AnswerTooLarge: it is too large.
    """
    _require_room(list(_texts(outcome)))


def _require_room(texts: Sequence[str]) -> None:
    overhead = _BYTES_BESIDE_TEXT * len(texts)
    if overhead + _LONGEST_CHARACTER * sum(map(len, texts)) <= MAX_ITEMS_BYTES:
        return
    size = overhead + sum(map(utf8_bytes, texts))
    if size > MAX_ITEMS_BYTES:
        raise AnswerTooLarge(size, MAX_ITEMS_BYTES)


def _texts(outcome: AddMemoriesOutcome) -> Iterator[str]:
    for change in outcome.changes:
        yield from (change.text, change.previous_text or "", *change.categories)
    for added in outcome.relations:
        relation = added.relation
        yield from (relation.source.name, relation.relation, relation.target.name)
    for notice in outcome.notices:
        yield notice.text
