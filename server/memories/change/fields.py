"""The fields of a memory that can be changed by hand, and the state that results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum

from server.core.values import JsonObject
from server.memories.memory import Memory, Provenance, fact_digest, verbatim_digest


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


def with_changes(
    before: Memory, changes: FieldChanges, time: datetime, made_by: Provenance
) -> Memory:
    """Returns the next state of a memory.

    A new text drops the entities, relations and evidence that were found in the old one.
    """
    named = changes.fields
    after = replace(
        before,
        text=changes.text if MemoryField.TEXT in named else before.text,
        metadata=changes.metadata if MemoryField.METADATA in named else before.metadata,
        categories=tuple(
            changes.categories if MemoryField.CATEGORIES in named else before.categories
        ),
        expiration_date=(
            changes.expiration_date
            if MemoryField.EXPIRATION_DATE in named
            else before.expiration_date
        ),
        update_time=time,
        version=before.version + 1,
    )
    if after.text == before.text:
        return replace(after, provenance=replace(made_by, evidence=before.provenance.evidence))
    return replace(after, entities=(), relations=(), provenance=replace(made_by, evidence=()))


def memory_digest(memory: Memory) -> bytes:
    """Returns the digest by which two memories of a scope count as the same."""
    if memory.inferred or memory.role is None:
        return fact_digest(memory.text)
    return verbatim_digest(memory.role, memory.name, memory.text)
