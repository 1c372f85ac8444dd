"""Keys of scopes, and the graph spaces that they share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.scope import SCOPE_FIELDS, Scope

# Few letters, including separators that an encoding might use, so that collisions would be found.
part = st.none() | st.text("u:1_id*", min_size=1, max_size=4) | st.text(min_size=1)
scopes = st.builds(Scope, part, part, part, part)


@given(scopes, scopes)
def test_only_equal_scopes_have_equal_keys(one: Scope, other: Scope) -> None:
    assert (one.key() == other.key()) == (one == other)


@given(st.text("ab:1", min_size=1, max_size=3), st.text("ab:1", min_size=1, max_size=3))
def test_the_same_values_in_other_fields_are_another_scope(one: str, other: str) -> None:
    keys = {
        Scope(**{first: one, second: other}).key()
        for first in SCOPE_FIELDS
        for second in SCOPE_FIELDS
        if first < second
    }
    assert len(keys) == 6


@pytest.mark.parametrize("posing", ["aagent_idb", "aagent_id:b", "aagent_id:1:b", "a:agent_id:b"])
def test_a_value_cannot_imitate_two_fields(posing: str) -> None:
    # Some of these would be equal if they were joined without their lengths.
    assert Scope(user_id=posing).key() != Scope(user_id="a", agent_id="b").key()


@given(scopes)
def test_a_key_has_16_bytes(scope: Scope) -> None:
    assert len(scope.key()) == 16


@given(scopes)
def test_fields_are_listed_with_the_most_general_first(scope: Scope) -> None:
    parts = scope.parts()
    assert Scope(**dict(parts)) == scope
    assert [field for field, _ in parts] == [f for f in SCOPE_FIELDS if f in dict(parts)]


@pytest.mark.parametrize(
    ("scope", "space"),
    [
        (Scope("alice", "agent", "app", "run"), "user:alice"),
        (Scope(None, "agent", "app", "run"), "agent:agent"),
        (Scope(app_id="app", run_id="run"), "app:app"),
        (Scope(run_id="run"), "run:run"),
        (Scope(user_id="a:b"), "user:a:b"),
    ],
)
def test_entities_are_shared_within_the_most_general_field(scope: Scope, space: str) -> None:
    assert scope.graph_space() == space


def test_an_empty_scope_has_no_graph_space() -> None:
    with pytest.raises(ValueError, match="empty scope"):
        Scope().graph_space()
