"""Searching, with one embedding of the question and one query."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from server.memories.scope import Scope
from server.memories.search.arms import GraphArm, RerankArm
from server.memories.search.ranking import ArmWeights
from server.memories.search.search_memories import SearchMemories, SearchMemoriesCommand
from server.memories.search.time_spans import TimeSpan
from server.models.ports import EmbeddingPurpose
from tests.support.builders import ALICE, EMBEDDER, NOW, PROJECT, addition, call, change_set
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock, FakeEmbedder, FakeReranker


class World:
    """The use case and its collaborators."""

    def __init__(self) -> None:
        self.store = FakeStore()
        self.embedder = FakeEmbedder()
        clock = FakeClock()
        arm = GraphArm(self.store, clock)
        self.reranker = FakeReranker()
        rerank = RerankArm(self.reranker, 60.0)
        self.search = SearchMemories(self.store, self.embedder, clock, arm, rerank)

    async def knows(self, text: str, **details: object) -> None:
        new_call = call()
        added = addition(new_call, text, embedding=self.embedder.vector_of(text), **details)  # type: ignore[arg-type] # names fit
        await self.store.commit(change_set(new_call, added=[added]))

    async def finds(self, query: str, **details: object) -> list[str]:
        command = SearchMemoriesCommand(PROJECT, ALICE, query, **details)  # type: ignore[arg-type] # names fit
        return [hit.text for hit in (await self.search(command)).hits]


@pytest.fixture
def world() -> World:
    return World()


async def test_the_question_is_embedded_once_as_a_query(world: World) -> None:
    await world.knows("tea")
    await world.knows("coffee")
    outcome = await world.search(SearchMemoriesCommand(PROJECT, ALICE, "coffee"))
    assert world.embedder.batches == [(["coffee"], EmbeddingPurpose.QUERY)]
    assert outcome.hits[0].text == "coffee"
    assert outcome.hits[0].score == pytest.approx(1.0)
    assert outcome.embedding_model == EMBEDDER


@pytest.mark.parametrize(
    ("details", "year"),
    [
        ({}, 2026),
        ({"as_of": datetime(2024, 8, 1, tzinfo=UTC)}, 2024),
        (
            {
                "as_of": datetime(2024, 8, 1, tzinfo=UTC),
                "reference_time": datetime(2023, 8, 1, tzinfo=UTC),
            },
            2023,
        ),
    ],
)
async def test_times_in_the_question_are_relative_to_the_reference_time(
    world: World, details: dict[str, datetime], year: int
) -> None:
    await world.finds("Who came last May?", **details)
    (span,) = world.store.searches[-1].question_times
    assert span == TimeSpan(datetime(year, 5, 1, tzinfo=UTC), datetime(year, 6, 1, tzinfo=UTC))


async def test_latest_only_means_the_present(world: World) -> None:
    await world.finds("Where does she live?", latest_only=True)
    assert world.store.searches[-1].latest_at == NOW
    await world.finds("Where does she live?")
    assert world.store.searches[-1].latest_at is None


async def test_a_question_without_a_time_prefers_no_time(world: World) -> None:
    await world.finds("Who may come?")
    assert not world.store.searches[-1].question_times


async def test_ten_hits_by_default(world: World) -> None:
    for number in range(12):
        await world.knows(f"fact {number}")
    assert len(await world.finds("fact")) == 10
    assert len(await world.finds("fact", top_k=3)) == 3


async def test_filters_and_thresholds_are_passed_to_the_store(world: World) -> None:
    await world.knows("tea", categories=["food"])
    await world.knows("running", categories=["sports"])
    assert await world.finds("tea", categories=["sports"]) == ["running"]
    assert await world.finds("tea", threshold=0.999) == ["tea"]


async def test_expired_memories_are_found_only_on_request(world: World) -> None:
    await world.knows("last seen today", expiration_date=date(2026, 11, 23))
    await world.knows("gone", expiration_date=date(2026, 11, 22))
    assert await world.finds("x") == ["last seen today"]
    assert set(await world.finds("x", show_expired=True)) == {"last seen today", "gone"}


async def test_a_search_keeps_to_its_project_and_scope(world: World) -> None:
    await world.knows("tea")
    for project_id, scope in (("project-2", ALICE), (PROJECT, Scope(user_id="bob"))):
        assert (await world.search(SearchMemoriesCommand(project_id, scope, "tea"))).hits == []


async def test_reranking_considers_more_hits_than_are_returned(world: World) -> None:
    for number in range(12):
        await world.knows(f"fact {number}")
    [*_, last] = await world.finds("fact", top_k=12)
    world.reranker.scores = {last: 0.8}
    command = SearchMemoriesCommand(PROJECT, ALICE, "fact", top_k=3, rerank=True)
    outcome = await world.search(command)
    assert outcome.hits[0].text == last
    assert len(outcome.hits) == 3
    assert outcome.language_model == world.reranker.model
    assert [len(asked) for _, asked in world.reranker.questions] == [12]


async def test_the_language_model_is_used_only_for_reranking(world: World) -> None:
    await world.knows("tea")
    await world.knows("coffee")
    outcome = await world.search(SearchMemoriesCommand(PROJECT, ALICE, "coffee"))
    assert world.reranker.questions == []
    assert outcome.language_model is None


async def test_the_store_gets_the_words_of_related_meaning(world: World) -> None:
    world.embedder.related["coffee"] = "espresso"
    await world.finds("black coffee")
    assert world.store.searches[-1].meanings == ["coffee espresso"]


async def test_vectors_have_the_weight_of_their_embedder(world: World) -> None:
    world.embedder.dense_weight = 1.5
    await world.finds("coffee")
    assert world.store.searches[-1].weights == ArmWeights(dense=1.5)
