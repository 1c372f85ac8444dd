"""A scope that has grown since it was last searched as a whole."""

from __future__ import annotations

import threading
from types import ModuleType

import pytest

from server.core.background import FEW_ITEMS
from server.memories.queries import SearchQuery
from server.memories.search.ranking import ArmWeights
from server.storage.postgres import candidates, record_calls
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.search import ScopeSizes, Searches
from tests.support.builders import ALICE, PROJECT, addition, call, change_set, vector

TEA_AND_RAIN = SearchQuery(
    PROJECT,
    ALICE,
    vector(1, 0, 0),
    limit=100,
    visible_on=None,
    text="tea rain",
    weights=ArmWeights(dense=0.0, lexical=1.0),
)


async def test_a_word_of_more_memories_than_were_known_still_counts(database: Database) -> None:
    searches = Searches(database, ScopeSizes(large=0))
    await add(database, "tea at noon")
    await searches.search(TEA_AND_RAIN)
    await add(database, "rain", *(f"tea number {number}" for number in range(60)))

    scores = {hit.text: hit.score for hit in await searches.search(TEA_AND_RAIN)}
    assert max(scores, key=scores.__getitem__) == "rain"
    assert 0 < scores["tea number 7"] < scores["rain"]


async def add(database: Database, *texts: str) -> None:
    new_call = call()
    added = [addition(new_call, text) for text in texts]
    store = PostgresMemoryStore(database, on_commit=lambda: None)
    await store.commit(change_set(new_call, added=added))


async def test_a_large_scope_that_was_emptied_has_no_hits(database: Database) -> None:
    sizes = ScopeSizes(large=0)
    searches = Searches(database, sizes)
    await add(database, "tea at noon")
    assert await searches.search(TEA_AND_RAIN)
    async with database.connection() as connection:
        await connection.execute("DELETE FROM memories")
    assert sizes.of(PROJECT, ALICE)
    assert await searches.search(TEA_AND_RAIN) == []


async def test_many_memories_are_converted_beside_the_loop(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: dict[str, set[int]] = {}

    def watch(module: ModuleType, name: str) -> None:
        convert = getattr(module, name)

        def watched(value: object) -> object:
            threads.setdefault(name, set()).add(threading.get_ident())
            return convert(value)

        monkeypatch.setattr(module, name, watched)

    watch(record_calls, "to_halfvec")
    watch(candidates, "to_memory")
    await add(database, *(f"tea number {number}" for number in range(FEW_ITEMS + 1)))
    assert len(await Searches(database).search(TEA_AND_RAIN)) == FEW_ITEMS + 1
    assert threads.keys() == {"to_halfvec", "to_memory"}
    assert threading.get_ident() not in threads["to_halfvec"] | threads["to_memory"]
