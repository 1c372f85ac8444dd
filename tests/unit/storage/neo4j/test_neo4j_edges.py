"""The edges of a memory in the graph, and the difference from the stored ones."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.graph.mentions import EntityKey, Mention
from server.graph.model import Entity
from server.storage.neo4j.rows import difference, wanted_mentions, wanted_relations
from tests.support.subgraphs import PROJECT, gone, memory_id, stating


@given(st.lists(st.integers(0, 5)), st.lists(st.integers(0, 5)))
def test_applying_the_difference_gives_the_wanted_state(
    wanted: list[int], stored: list[int]
) -> None:
    elements = {f"element-{n}": edge for n, edge in enumerate(stored)}
    result = difference(wanted, elements.items())
    assert [elements[element_id] for element_id in result.removed_ids] == list(result.removed)
    for element_id in result.removed_ids:
        del elements[element_id]
    assert sorted([*elements.values(), *result.added]) == sorted(set(wanted))
    assert not set(result.added) & set(stored)


def test_every_entity_is_mentioned_once_under_its_first_spelling_and_first_type() -> None:
    subgraph = stating(
        7, ("alice", "knows", "Bob"), entities=[Entity("Alice"), Entity("ALICE", "person")]
    )
    alice, bob = (EntityKey(PROJECT, "user:alice", key) for key in ("alice", "bob"))
    assert wanted_mentions(subgraph) == [
        Mention(str(memory_id(7)), alice, "Alice", "person"),
        Mention(str(memory_id(7)), bob, "Bob", ""),
    ]


def test_a_deleted_memory_has_no_edges() -> None:
    left_over = replace(stating(1, ("Alice", "knows", "Bob")), exists=False)
    for subgraph in (gone(1), left_over):
        assert wanted_mentions(subgraph) == []
        assert wanted_relations(subgraph) == []


def test_relations_need_an_event_time() -> None:
    with pytest.raises(ValueError, match="event time"):
        wanted_relations(replace(stating(1, ("Alice", "knows", "Bob")), event_time=None))
    assert wanted_relations(replace(stating(1), event_time=None)) == []


def test_a_known_type_outranks_age_and_age_decides_the_rest() -> None:
    key = EntityKey(PROJECT, "user:alice", "alice")
    old, young = (Mention(str(memory_id(n)), key, "Alice", "") for n in (1, 2))
    typed = replace(young, type="person")
    assert sorted([young, old, typed], key=lambda m: m.rank) == [typed, old, young]
