"""Stores and memories for search tests, and the scores of hits."""

from __future__ import annotations

import math
from collections import Counter
from datetime import timedelta

from server.memories.passages import Hit
from server.memories.ports import MemoryStore
from server.memories.queries import SearchQuery
from server.memories.scope import Scope
from server.memories.search.ranking import BM25_B, BM25_K1, ArmWeights
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.scope_indexes import ScopeIndexes
from server.storage.postgres.search import ScopeSizes, Searches
from tests.support.builders import (
    ALICE,
    NOW,
    PROJECT,
    NewMemory,
    addition,
    call,
    change_set,
    vector,
)

WORDS_ALONE = ArmWeights(dense=0.0, lexical=1.0)
VECTORS_ALONE = ArmWeights(dense=1.0, lexical=0.0)
TEA = vector(1, 0, 0)


class LargeScopes(PostgresMemoryStore):
    """A store that treats every scope of known size as large."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, on_commit=lambda: None)
        self.database = database

    async def search(self, query: SearchQuery) -> list[Hit]:
        searches = Searches(self.database, ScopeSizes(large=0))
        await searches.search(query)
        return await searches.search(query)


class HeldScopes(PostgresMemoryStore):
    """A store that builds an index in memory for every scope before searching it."""

    def __init__(self, database: Database) -> None:
        super().__init__(database, on_commit=lambda: None)
        self.indexes = ScopeIndexes(database)
        self._searches = Searches(database, indexes=self.indexes)

    async def search(self, query: SearchQuery) -> list[Hit]:
        for _ in range(2):
            await super().search(query)
        await self.indexes.finish()
        return await super().search(query)


SCOPE_SIZES = ("small scopes", "large scopes", "held scopes")


def store_of(scope_sizes: str, database: Database) -> MemoryStore:
    """Returns a store that treats every scope as one of these sizes."""
    if scope_sizes == "large scopes":
        return LargeScopes(database)
    if scope_sizes == "held scopes":
        return HeldScopes(database)
    return PostgresMemoryStore(database, on_commit=lambda: None)


def query(text: str, **changes: object) -> SearchQuery:
    """Returns a search of Alice's memories by words alone, with these changes."""
    defaults: dict[str, object] = {
        "project_id": PROJECT,
        "scope": ALICE,
        "vector": TEA,
        "limit": 10,
        "visible_on": NOW.date(),
        "text": text,
        "weights": WORDS_ALONE,
    }
    return SearchQuery(**{**defaults, **changes})  # type: ignore[arg-type] # names fit


async def lexical(store: MemoryStore, text: str, **changes: object) -> dict[str, float]:
    """Returns the scores of the lexical arm, by text."""
    return {
        hit.text: arm.score
        for hit in await store.search(query(text, **changes))
        for arm in hit.arms
        if arm.arm == "lexical"
    }


async def add(
    store: MemoryStore,
    *texts: str,
    scope: Scope = ALICE,
    minute: int = 0,
    project_id: str = PROJECT,
    **details: object,
) -> list[NewMemory]:
    """Adds memories of these texts to the store by one call."""
    new_call = call(scope=scope, project_id=project_id, time=NOW + timedelta(minutes=minute))
    added = [
        addition(new_call, text, ordinal=ordinal, **details)  # type: ignore[arg-type] # names fit
        for ordinal, text in enumerate(texts)
    ]
    await store.commit(change_set(new_call, added=added))
    return added


def scores(hits: list[Hit]) -> dict[str, float]:
    """Returns the scores of hits, by text."""
    return {hit.text: hit.score for hit in hits}


def arms(hits: list[Hit]) -> list[object]:
    """Returns which arms found each hit, at which rank and with which score."""
    return [value for hit in hits for arm in hit.arms for value in (arm.arm, arm.rank, arm.score)]


def bm25(words: list[str], texts: list[str]) -> dict[str, float]:
    """Returns the scores by the formula of BM25, for texts of words that are their own stems."""
    size, mean = len(texts), sum(map(len, texts)) / len(texts)
    counts = {text: Counter(text.split()) for text in texts}
    found = {word: sum(word in counts[text] for text in texts) for word in words}
    weights = {word: math.log(1 + (size - n + 0.5) / (n + 0.5)) for word, n in found.items() if n}
    result: dict[str, float] = {}
    for text in texts:
        saturation = BM25_K1 * (1 - BM25_B + BM25_B * len(text) / mean)
        total = sum(
            weight * counts[text][word] * (BM25_K1 + 1) / (counts[text][word] + saturation)
            for word, weight in weights.items()
        )
        if total:
            result[text] = min(1.0, total / sum(weights.values()))
    return result
