"""The effects of changes by hand on memories and messages, and the calls that record them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, TypeAlias

from server.core.clock import new_id
from server.core.request_context import current_origin, current_request
from server.core.values import JsonObject
from server.memories.changes import Call
from server.memories.memory import Evidence, Memory, Provenance, fact_digest, verbatim_digest
from server.memories.scope import Scope
from server.operations.idempotency import RequestKey


class MemoryField(StrEnum):
    """The fields of a memory that can be changed, as the contract names them."""

    TEXT = "text"
    METADATA = "metadata"
    CATEGORIES = "categories"
    EXPIRATION_DATE = "expiration_date"


@dataclass(frozen=True, slots=True)
class FieldChanges:
    """New values of the fields that `fields` names; other values are ignored.

    An empty value clears a field, except for the text, which is never empty.
    """

    fields: frozenset[MemoryField]
    text: str = ""
    metadata: JsonObject = field(default_factory=dict)
    categories: Sequence[str] = ()
    expiration_date: date | None = None

    @property
    def new_text(self) -> str | None:
        """Returns the new text, or None if the text stays."""
        return self.text if MemoryField.TEXT in self.fields else None


def with_changes(before: Memory, changes: FieldChanges, made_by: Call) -> Memory:
    """Returns the next state of a memory.

    A new text drops the entities, relations and evidence of the old text.
    """
    named: dict[str, Any] = {field.value: getattr(changes, field) for field in changes.fields}
    after = replace(before, **named, update_time=made_by.time, version=before.version + 1)
    if after.text == before.text:
        return replace(after, provenance=provenance(made_by, before.provenance.evidence))
    return replace(after, entities=(), relations=(), provenance=provenance(made_by))


def provenance(call: Call, evidence: Sequence[Evidence] = ()) -> Provenance:
    """Returns the provenance of a state that the call made."""
    return Provenance(
        call_id=call.id,
        request_id=call.request_id,
        correlation_id=call.correlation_id,
        key_id=call.origin.key_id,
        embedding_model=call.embedding_model,
        evidence=evidence,
    )


def memory_digest(memory: Memory) -> bytes:
    """Returns the digest of a memory; equal memories of a scope have the same digest."""
    if memory.inferred or memory.role is None:
        return fact_digest(memory.text)
    return verbatim_digest(memory.role, memory.name, memory.text)


BLANK = "[erased]"
# Shorter phrases also occur in messages that are unrelated to the memory. In the messages that the
# memory came from, phrases of any length are removed.
MIN_REPEATED_LENGTH = 12

# The end of a sentence is ignored, because a repetition may continue there.
SENTENCE_ENDS: Final = " \t\r\n.!?…。！？"  # noqa: RUF001 - full-width signs of other scripts

_Span: TypeAlias = tuple[int, int]


def phrase_of(text: str) -> str:
    """Returns the text without the end of its sentence, to find repetitions."""
    return text.strip().rstrip(SENTENCE_ENDS) or text


def redacted(content: str, erased: Iterable[str], kept: Sequence[str]) -> tuple[str, bool]:
    """Returns the message without the erased phrases, and whether a phrase had to stay.

    `kept` are phrases that are evidence of other memories, "" for the whole message. Erased
    phrases are found regardless of case; phrases that overlap a kept phrase stay. The longest
    are removed first, so that nothing remains of a phrase that contains a shorter one.
    """
    protected = [
        span
        for phrase in kept
        for span in (_occurrences(content, phrase) if phrase else [(0, len(content))])
    ]
    blanks: list[_Span] = []
    retained = False
    for phrase in sorted(set(erased) - {""}, key=len, reverse=True):
        for span in _occurrences(content, phrase):
            if any(_overlap(span, other) for other in protected):
                retained = True
            elif not any(_overlap(span, other) for other in blanks):
                blanks.append(span)
    return _blanked(content, blanks), retained


def _occurrences(content: str, phrase: str) -> Iterator[_Span]:
    # A lookahead also finds overlapping occurrences.
    for found in re.finditer(f"(?=({re.escape(phrase)}))", content, re.IGNORECASE):
        yield found.span(1)


def _overlap(one: _Span, other: _Span) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _blanked(content: str, blanks: Sequence[_Span]) -> str:
    for start, end in sorted(blanks, reverse=True):
        content = content[:start] + BLANK + content[end:]
    return content


def new_call(
    project_id: str,
    scope: Scope,
    method: str,
    now: datetime,
    key: RequestKey | None = None,
    embedding_model: str = "",
) -> Call:
    """Returns a call of the current request, with a new id, that uses no language model.

    `embedding_model` is empty if the call embeds no text.
    """
    return Call(
        id=new_id(now),
        project_id=project_id,
        scope=scope,
        method=method,
        time=now,
        correlation_id=current_request().correlation_id,
        traceparent=current_request().traceparent,
        origin=current_origin(),
        embedding_model=embedding_model,
        request_id=key.id if key else None,
        payload_digest=key.digest if key else b"",
        item=key.item if key else 0,
    )
