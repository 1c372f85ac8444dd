"""No response is larger than clients can receive by default."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memoir.v1 import memory_pb2, memory_service_pb2

from server.api.grpc.convert.changes import batch_update_response
from server.api.grpc.convert.memories import add_response
from server.api.grpc.convert.tokens import fits, fitting_count, fitting_page
from server.api.grpc.services.graph import neighbourhood_message
from server.core.errors import AnswerTooLarge, MemoryNotFound
from server.core.values import MAX_ANSWER_BYTES, MAX_ITEMS_BYTES
from server.graph.explore.explore_graph import Neighbourhood
from server.graph.model import Entity, EntityRef, KnownEntity, Relation, StatedRelation
from server.memories.add.add_memories import (
    AddedChange,
    AddedRelation,
    AddMemoriesOutcome,
    require_fitting_response,
)
from server.memories.add.proposals import Notice, NoticeReason
from server.memories.change.update_memory import UpdatedMemory
from server.memories.memory import EventType
from tests.support.builders import NOW, addition, call
from tests.support.tokens import tokens_of

MEMORY = addition(call(), "tea").memory
LONG = "\U0001f375" * 512


def change(text: str) -> AddedChange:
    return AddedChange(UUID(int=1), EventType.UPDATE, text, text, [text], 2**62)


def outcome(*texts: str) -> AddMemoriesOutcome:
    relations = [
        AddedRelation(Relation(Entity(text), text, Entity(text)), EventType.ADD) for text in texts
    ]
    notices = [Notice(NoticeReason.FORGET_UNMATCHED, text) for text in texts]
    return AddMemoriesOutcome(
        UUID(int=1), [change(text) for text in texts], relations, 1, "e", "m", notices
    )


class Pages:
    """Returns pages of memories of these sizes, and records the requested page sizes."""

    def __init__(self, *sizes: int) -> None:
        self.memories = [memory_pb2.Memory(text="x" * size) for size in sizes]
        self.asked: list[int] = []

    async def __call__(self, page_size: int) -> memory_service_pb2.ListMemoriesResponse:
        self.asked.append(page_size)
        return memory_service_pb2.ListMemoriesResponse(
            memories=self.memories[:page_size], next_page_token=str(page_size)
        )


async def test_a_page_that_fits_is_read_once() -> None:
    pages = Pages(10, 20, 30)
    response = await fitting_page(pages, 1000, "memories")
    assert (len(response.memories), pages.asked) == (3, [1000])


async def test_a_page_that_is_too_large_ends_early_with_a_token_for_the_rest() -> None:
    pages = Pages(*[1_000_000] * 30)
    response = await fitting_page(pages, 30, "memories")
    assert (len(response.memories), response.next_page_token) == (4, "4")
    assert pages.asked == [30, 4]
    assert fits(response)


async def test_a_page_has_at_least_one_item() -> None:
    response = await fitting_page(Pages(MAX_ANSWER_BYTES, 1), 2, "memories")
    assert len(response.memories) == 1


@given(st.lists(st.integers(0, 300), max_size=8), st.integers(0, 900))
def test_it_counts_the_items_that_fit(sizes: list[int], budget: int) -> None:
    items = [memory_pb2.Memory(text="x" * size) for size in sizes]
    count = fitting_count(items, budget)
    assert memory_service_pb2.ListMemoriesResponse(memories=items[:count]).ByteSize() <= budget
    if count < len(items):
        more = memory_service_pb2.ListMemoriesResponse(memories=items[: count + 1])
        assert more.ByteSize() + 8 * (count + 1) > budget


@given(st.lists(st.text(max_size=40), max_size=6), st.integers(0, 3))
def test_the_response_of_an_accepted_add_can_be_received(texts: list[str], times: int) -> None:
    large = outcome(*(text * 10**times * 100 for text in texts))
    response = add_response(large, tokens_of(), with_relations=True)
    try:
        require_fitting_response(large)
    except AnswerTooLarge:
        assert response.ByteSize() > MAX_ITEMS_BYTES / 4
    else:
        assert fits(response)


@pytest.mark.parametrize("character", ["x", "\u00e9", "\U0001f375"])
def test_the_limit_of_an_add_is_in_bytes(character: str) -> None:
    longest = (MAX_ITEMS_BYTES - 1024) // len(character.encode())
    short = replace(outcome(), changes=[replace(change(""), text=character * longest)])
    require_fitting_response(short)
    with pytest.raises(AnswerTooLarge, match=str(MAX_ITEMS_BYTES)) as caught:
        require_fitting_response(replace(short, changes=[*short.changes, change("x" * 1024)]))
    assert caught.value.metadata["limit"] == str(MAX_ITEMS_BYTES)
    assert [violation.field for violation in caught.value.violations] == ["messages"]


def test_a_neighbourhood_that_is_too_large_is_cut_and_marked() -> None:
    start = KnownEntity(EntityRef("user:u", "a"), Entity("a"))
    near = [
        KnownEntity(EntityRef("user:u", f"b{n}"), Entity(f"{n}{LONG}", "", (LONG,) * 8))
        for n in range(1000)
    ]
    relations = [
        StatedRelation(Relation(Entity("a"), "knows", known.entity), UUID(int=1), NOW)
        for known in near
    ]
    response = neighbourhood_message(Neighbourhood(start, near, relations, truncated=False))
    assert fits(response)
    assert response.truncated
    assert response.neighbors[0].name.startswith("0")
    assert len(response.neighbors) > 50
    assert len(response.relations) > 500
    small = neighbourhood_message(Neighbourhood(start, near[:3], relations[:3], truncated=False))
    assert (len(small.neighbors), len(small.relations), small.truncated) == (3, 3, False)


def test_a_large_batch_returns_the_last_memories_without_content() -> None:
    large = UpdatedMemory(replace(MEMORY, text="x" * 32_000, version=7), 1)
    response = batch_update_response(
        [large, MemoryNotFound(MEMORY.id), *[large] * 998], "id", tokens_of()
    )
    assert fits(response)
    first, missing, *_, last = response.results
    assert (len(first.memory.text), missing.error.code) == (32_000, 5)
    assert (last.memory.id, last.memory.version, last.memory.etag, last.memory.text) == (
        str(MEMORY.id),
        7,
        replace(MEMORY, version=7).etag,
        "",
    )
