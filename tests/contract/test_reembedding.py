"""Embedding a store's texts again with another embedder, on PostgreSQL, by several commands."""

from __future__ import annotations

import asyncio

import pytest

from server.core.values import Vector
from server.maintenance import EmbedderIdentity, ReembeddingConflict, StoreMaintenance, TextPlace
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.schema import PostgresMaintenance
from tests.support.builders import addition, call, change_set, message, vector

FORMER, ONE, OTHER = (EmbedderIdentity(f"test/{name}", 3) for name in ("former", "one", "other"))


@pytest.fixture
async def store(database: Database) -> StoreMaintenance:
    adding = call()
    await PostgresMemoryStore(database, on_commit=lambda: None).commit(
        change_set(
            adding,
            [message("I like tea and jam")],
            [addition(adding, "Alice likes tea"), addition(adding, "Alice likes jam")],
        )
    )
    store = PostgresMaintenance(database)
    assert await store.claim_embedder(FORMER) == FORMER
    return store


def vectors(places: list[TextPlace]) -> list[Vector]:
    return [vector(0, 0, 1)] * len(places)


async def embed_all(store: StoreMaintenance, embedder: EmbedderIdentity) -> None:
    while places := await store.next_texts(1):
        await store.replace_embeddings(embedder, places, vectors(places))
    await store.finish_reembedding(embedder)


async def test_texts_are_embedded_once_and_then_the_store_belongs_to_the_embedder(
    store: StoreMaintenance,
) -> None:
    assert await store.begin_reembedding(ONE)
    assert await store.count_texts() == 4
    await embed_all(store, ONE)
    assert not await store.begin_reembedding(ONE)
    assert await store.begin_reembedding(FORMER)


async def test_an_interrupted_reembedding_continues(store: StoreMaintenance) -> None:
    await store.begin_reembedding(ONE)
    places = await store.next_texts(3)
    await store.replace_embeddings(ONE, places, vectors(places))
    assert await store.begin_reembedding(ONE)
    assert await store.count_texts() == 1


async def test_another_embedder_has_everything_to_do(store: StoreMaintenance) -> None:
    await store.begin_reembedding(ONE)
    places = await store.next_texts(3)
    await store.replace_embeddings(ONE, places, vectors(places))
    assert await store.begin_reembedding(OTHER)
    assert await store.count_texts() == 4


async def test_vectors_of_two_embedders_are_never_mixed(store: StoreMaintenance) -> None:
    await store.begin_reembedding(ONE)
    places = await store.next_texts(3)
    await store.begin_reembedding(OTHER)
    with pytest.raises(ReembeddingConflict):
        await store.replace_embeddings(ONE, places, vectors(places))
    assert await store.count_texts() == 4
    with pytest.raises(ReembeddingConflict):
        await store.finish_reembedding(ONE)
    await embed_all(store, OTHER)
    assert not await store.begin_reembedding(OTHER)


async def test_one_of_many_concurrent_first_embedders_stays(store: StoreMaintenance) -> None:
    embedders = [EmbedderIdentity(f"test/{n}", 3) for n in range(8)]
    assert all(await asyncio.gather(*(store.begin_reembedding(embedder) for embedder in embedders)))
    assert await store.count_texts() == 4
    ended = await asyncio.gather(
        *(store.finish_reembedding(embedder) for embedder in embedders), return_exceptions=True
    )
    assert sorted(map(str, ended)) == sorted(["None", *[str(ReembeddingConflict())] * 7])
