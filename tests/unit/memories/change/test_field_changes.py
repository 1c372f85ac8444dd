"""Updating the fields of a memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.change.effects import FieldChanges, MemoryField, memory_digest, with_changes
from server.memories.conversation import Role
from server.memories.memory import fact_digest, verbatim_digest
from tests.support.builders import LISBON, NOW, addition, call

BEFORE = addition(call(), "tea", metadata={"a": 1}, categories=["food"], relations=[LISBON]).memory
LATER = NOW + timedelta(hours=1)


@given(
    fields=st.frozensets(st.sampled_from(MemoryField)),
    text=st.text(min_size=1),
    day=st.none() | st.dates(),
)
def test_only_the_named_fields_change(
    fields: frozenset[MemoryField], text: str, day: date | None
) -> None:
    changes = FieldChanges(fields, text, {"b": 2}, ["health"], day)
    after = with_changes(BEFORE, changes, call(time=LATER))
    for field in MemoryField:
        source = changes if field in fields else BEFORE
        expected = getattr(source, field.value)
        found = getattr(after, field.value)
        assert (tuple(found) if field is MemoryField.CATEGORIES else found) == (
            tuple(expected) if field is MemoryField.CATEGORIES else expected
        )
    assert (after.version, after.update_time) == (2, LATER)
    assert (after.id, after.scope, after.create_time) == (BEFORE.id, BEFORE.scope, NOW)
    assert after.relations == (BEFORE.relations if after.text == BEFORE.text else ())


@pytest.mark.parametrize(
    ("inferred", "role", "digest"),
    [
        (True, Role.USER, fact_digest("tea")),
        (False, None, fact_digest("tea")),
        (False, Role.USER, verbatim_digest(Role.USER, "Alice", "tea")),
    ],
)
def test_the_digest_depends_on_whether_the_memory_was_inferred(
    inferred: bool, role: Role | None, digest: bytes
) -> None:
    memory = replace(BEFORE, inferred=inferred, role=role, name="Alice")
    assert memory_digest(memory) == digest
