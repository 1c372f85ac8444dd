"""Giving a store's texts to another embedder, on PostgreSQL, where several commands try to."""

from __future__ import annotations

import asyncio

import pytest

from server.core.values import Vector
from server.maintenance import EmbedderIdentity, OtherEmbedderWanted, Reembedding, TextPlace
from server.storage.postgres.memory_store import PostgresMemoryStore
from server.storage.postgres.pool import Database
from server.storage.postgres.schema import PostgresReadiness, PostgresReembedding
from tests.support.builders import addition, call, change_set, message, vector

FORMER, ONE, OTHER = (EmbedderIdentity(f"test/{name}", 3) for name in ("former", "one", "other"))


@pytest.fixture
async def reembedding(database: Database) -> Reembedding:
    adding = call()
    await PostgresMemoryStore(database, on_commit=lambda: None).commit(
        change_set(
            adding,
            [message("I like tea and jam")],
            [addition(adding, "Alice likes tea"), addition(adding, "Alice likes jam")],
        )
    )
    assert await PostgresReadiness(database).claim_embedder(FORMER) == FORMER
    return PostgresReembedding(database)


def vectors(places: list[TextPlace]) -> list[Vector]:
    return [vector(0, 0, 1)] * len(places)


async def embed_all(reembedding: Reembedding, embedder: EmbedderIdentity) -> None:
    while places := await reembedding.texts(1):
        await reembedding.replace(embedder, places, vectors(places))
    await reembedding.finish(embedder)


async def test_texts_are_done_once_and_then_the_store_is_of_the_embedder(
    reembedding: Reembedding,
) -> None:
    assert await reembedding.begin(ONE)
    assert await reembedding.count() == 4
    await embed_all(reembedding, ONE)
    assert not await reembedding.begin(ONE)
    assert await reembedding.begin(FORMER)


async def test_one_that_was_interrupted_is_gone_on_with(reembedding: Reembedding) -> None:
    await reembedding.begin(ONE)
    places = await reembedding.texts(3)
    await reembedding.replace(ONE, places, vectors(places))
    assert await reembedding.begin(ONE)
    assert await reembedding.count() == 1


async def test_another_embedder_has_everything_to_do(reembedding: Reembedding) -> None:
    await reembedding.begin(ONE)
    places = await reembedding.texts(3)
    await reembedding.replace(ONE, places, vectors(places))
    assert await reembedding.begin(OTHER)
    assert await reembedding.count() == 4


async def test_vectors_of_two_embedders_are_never_mixed(reembedding: Reembedding) -> None:
    await reembedding.begin(ONE)
    places = await reembedding.texts(3)
    await reembedding.begin(OTHER)
    with pytest.raises(OtherEmbedderWanted):
        await reembedding.replace(ONE, places, vectors(places))
    assert await reembedding.count() == 4
    with pytest.raises(OtherEmbedderWanted):
        await reembedding.finish(ONE)
    await embed_all(reembedding, OTHER)
    assert not await reembedding.begin(OTHER)


async def test_one_of_many_concurrent_first_embedders_stays(reembedding: Reembedding) -> None:
    embedders = [EmbedderIdentity(f"test/{n}", 3) for n in range(8)]
    assert all(await asyncio.gather(*(reembedding.begin(embedder) for embedder in embedders)))
    assert await reembedding.count() == 4
    ended = await asyncio.gather(
        *(reembedding.finish(embedder) for embedder in embedders), return_exceptions=True
    )
    assert sorted(map(str, ended)) == sorted(["None", *[str(OtherEmbedderWanted())] * 7])
