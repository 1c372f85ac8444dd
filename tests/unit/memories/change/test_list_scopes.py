"""Listing scopes in pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.memories.change.scopes import ListScopes, ListScopesCommand
from server.memories.scope import Scope, ScopeKind
from tests.support.builders import PROJECT, addition, call
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock


def holding(ids: dict[ScopeKind, list[str]]) -> FakeStore:
    """Returns a store with one memory in each of these scopes."""
    calls = [call(scope=Scope(**{kind: id_})) for kind, each in ids.items() for id_ in each]
    memories = [addition(each, "tea").memory for each in calls]
    return FakeStore(memories={memory.id: memory for memory in memories})


@given(
    ids=st.dictionaries(
        st.sampled_from(ScopeKind), st.lists(st.text("ab", min_size=1), max_size=5, unique=True)
    ),
    kind=st.none() | st.sampled_from(ScopeKind),
    page_size=st.integers(1, 6),
)
async def test_pages_contain_every_scope_once_in_order(
    ids: dict[ScopeKind, list[str]], kind: ScopeKind | None, page_size: int
) -> None:
    listing = ListScopes(holding(ids), FakeClock())
    seen: list[tuple[ScopeKind, str]] = []
    command = ListScopesCommand(PROJECT, page_size, kind)
    while True:
        page = await listing(command)
        assert len(page.items) <= page_size
        seen += [(scope.kind, scope.id) for scope in page.items]
        if page.next is None:
            break
        command = ListScopesCommand(PROJECT, page_size, kind, page.next)
    kinds = [kind] if kind else list(ScopeKind)
    assert seen == [(k, i) for k in kinds for i in sorted(ids.get(k, []))]


@pytest.mark.parametrize("kind", list(ScopeKind))
async def test_a_cursor_of_another_kind_finds_nothing(kind: ScopeKind) -> None:
    listing = ListScopes(holding({ScopeKind.USER: ["a", "b"]}), FakeClock())
    page = await listing(ListScopesCommand(PROJECT, 1, ScopeKind.USER))
    others = await listing(ListScopesCommand(PROJECT, 9, kind, page.next))
    assert [scope.id for scope in others.items] == (["b"] if kind is ScopeKind.USER else [])
