"""Searches of the past, and searches that leave out superseded values."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from server.graph.model import Entity, Relation
from server.memories.changes import Deletion
from server.memories.filters.parser import parse_filter
from server.memories.ports import MemoryStore
from server.memories.scope import Scope
from server.memories.search.ranking import (
    ArmWeights,
)
from server.storage.postgres.pool import Database
from tests.support.builders import (
    NOW,
    call,
    change_set,
    memories_of,
    revision,
    vector,
)
from tests.support.searches import (
    SCOPE_SIZES,
    add,
    arms,
    query,
    scores,
    store_of,
)


@pytest.fixture(params=SCOPE_SIZES)
def store(request: pytest.FixtureRequest, database: Database) -> MemoryStore:
    return store_of(request.param, database)


async def test_the_past_is_searched_as_the_present_was(store: MemoryStore) -> None:
    items = await add(store, "tea with milk", "coffee", embedding=vector(1, 1, 0))
    items += await add(store, "rain", minute=1, embedding=vector(0, 1, 1))
    items += await add(store, "hello there", "tea, please", verbatim=True, minute=2)
    question = query("tea or rain", weights=ArmWeights(dense=0.5, lexical=0.5))
    before = await store.search(question)
    assert len(before) == len(items)

    tea, coffee, rain, *_ = items
    later = call(time=NOW + timedelta(minutes=4))
    changed = replace(revision(tea, "of no interest"), embedding=vector(0, 0, 1))
    kept = revision(rain, "rain")
    deletion = Deletion(coffee.memory_id, 1)
    await store.commit(
        change_set(later, updated=[changed, kept], deleted=[deletion], metadata={"a": 1})
    )
    await add(store, "tea and rain", minute=5)
    assert await store.search(question) != before

    past = await store.search(replace(question, time=NOW + timedelta(minutes=3)))
    assert memories_of(past) == memories_of(before)
    assert arms(past) == pytest.approx(arms(before))
    early = await store.search(replace(question, time=NOW))
    assert {hit.text for hit in early} == {"tea with milk", "coffee"}
    assert await store.search(replace(question, time=NOW - timedelta(minutes=1))) == []
    of_bob = replace(question, scope=Scope(user_id="bob"), time=NOW + timedelta(minutes=3))
    assert await store.search(of_bob) == []


async def test_a_search_of_the_past_finds_memories_that_expired_later(store: MemoryStore) -> None:
    tomorrow = NOW.date() + timedelta(days=1)
    await add(store, "tea today", expiration_date=NOW.date())
    question = query("tea", time=NOW + timedelta(minutes=1))
    assert len(await store.search(question)) == 1
    assert await store.search(replace(question, visible_on=tomorrow)) == []
    assert len(await store.search(replace(question, visible_on=None))) == 1


async def test_a_search_of_the_past_has_the_same_restrictions(store: MemoryStore) -> None:
    kept = await add(store, "tea", categories=["food"], metadata={"hot": True})
    other = await add(store, "old tea", expiration_date=NOW.date())
    for item in (*kept, *other):
        later = call(time=NOW + timedelta(hours=1))
        await store.commit(change_set(later, deleted=[Deletion(item.memory.id, 1)]))

    async def found(**narrowed: object) -> set[str]:
        return set(scores(await store.search(query("tea", time=NOW, **narrowed))))

    assert await found() == {"tea", "old tea"}
    assert await found(categories=["food"]) == {"tea"}
    assert await found(filters=parse_filter({"metadata.hot": True})) == {"tea"}
    assert await found(visible_on=NOW.date() + timedelta(days=1)) == {"tea"}
    assert await found(threshold=1.1) == set()
    assert len(await found(limit=1)) == 1
    assert await found(project_id="project-2") == set()


def stating(source: str, relation: str, target: str) -> tuple[Relation]:
    """The relation that a memory states."""
    return (Relation(Entity(source), relation, Entity(target)),)


async def found_latest(store: MemoryStore, **changes: object) -> set[str]:
    latest_at = NOW + timedelta(days=1)
    return set(scores(await store.search(query("anna", latest_at=latest_at, **changes))))


async def test_of_several_values_of_a_subject_only_the_newest_is_found(store: MemoryStore) -> None:
    await add(store, "anna in oslo", relations=stating("Anna", "lives_in", "Oslo"))
    await add(store, "anna in rome", minute=1, relations=stating("Anna", "lives_in", "Rome"))
    await add(store, "anna at acme", relations=stating("Anna", "works_at", "Acme"))
    await add(store, "anna knows bob", relations=stating("Anna", "knows", "Bob"))
    await add(store, "anna knows eve", minute=1, relations=stating("Anna", "knows", "Eve"))
    await add(store, "bob in oslo", relations=stating("Bob", "lives_in", "Oslo"))
    await add(store, "anna said so", verbatim=True)
    kept = {
        *("anna in rome", "anna at acme", "anna knows bob", "anna knows eve", "bob in oslo"),
        "anna said so",
    }
    assert await found_latest(store) == kept
    assert set(scores(await store.search(query("anna")))) == kept | {"anna in oslo"}


async def test_memories_that_partly_hold_are_found(store: MemoryStore) -> None:
    both = (
        Relation(Entity("Anna"), "lives_in", Entity("Oslo")),
        Relation(Entity("Anna"), "works_at", Entity("Acme")),
    )
    await add(store, "anna in oslo at acme", relations=both)
    await add(store, "anna in rome", minute=1, relations=stating("Anna", "lives_in", "Rome"))
    assert await found_latest(store) == {"anna in oslo at acme", "anna in rome"}
    await add(store, "anna at bolt", minute=2, relations=stating("Anna", "works_at", "Bolt"))
    assert await found_latest(store) == {"anna in rome", "anna at bolt"}


async def test_only_visible_memories_supersede(store: MemoryStore) -> None:
    other = Scope(user_id="alice", run_id="run-9")
    await add(store, "anna in oslo", relations=stating("Anna", "lives_in", "Oslo"))
    await add(
        store, "anna in rome", minute=1, scope=other, relations=stating("Anna", "lives_in", "Rome")
    )
    await add(
        store,
        "anna in lima",
        minute=2,
        expiration_date=NOW.date() - timedelta(days=1),
        relations=stating("Anna", "lives_in", "Lima"),
    )
    await add(store, "anna in kyiv", minute=5000, relations=stating("Anna", "lives_in", "Kyiv"))
    assert await found_latest(store) == {"anna in rome", "anna in kyiv"}
    assert await found_latest(store, scope=other) == {"anna in rome"}
    nice = stating("Anna", "lives_in", "Nice")
    await add(store, "anna in nice", minute=9, project_id="project-2", relations=nice)
    assert await found_latest(store) == {"anna in rome", "anna in kyiv"}
