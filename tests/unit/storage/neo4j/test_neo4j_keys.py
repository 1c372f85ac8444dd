"""Keys of entities in the graph."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from server.graph.model import entity_key
from server.storage.neo4j.terms import MAX_KEY_BYTES, index_key, space_lock_slot

names = st.text(st.characters(exclude_categories=["Cs"]))


@given(names)
def test_a_short_key_is_unchanged(name: str) -> None:
    key = entity_key(name)
    if len(key.encode()) <= MAX_KEY_BYTES:
        assert index_key(key) == key


@given(names, st.integers(1, 3))
def test_a_long_key_is_shortened_and_cannot_equal_a_name(name: str, more: int) -> None:
    key = entity_key(name + "ﷺ" * 512 * more)
    stored = index_key(key)
    assert len(stored.encode()) <= MAX_KEY_BYTES
    assert stored != index_key(key + "!")
    assert entity_key(stored) != stored


@given(names, names)
def test_a_slot_is_one_of_65536(project_id: str, space: str) -> None:
    assert 0 <= space_lock_slot(project_id, space) < 65_536
    assert space_lock_slot(project_id, space) == space_lock_slot(project_id, space)


def test_project_and_key_are_separated_in_the_slot() -> None:
    assert space_lock_slot("ab", "c") != space_lock_slot("a", "bc")
    assert len({space_lock_slot("p", f"user:{n}") for n in range(1000)}) > 950
