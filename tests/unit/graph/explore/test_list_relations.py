"""Listing relations, even if the graph is behind."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from datetime import date
from uuid import UUID

import pytest

from server.core.errors import DeadlineExceeded, InvalidRequest
from server.core.request_context import RequestContext
from server.core.transient_errors import GraphBehind
from server.graph.explore import scoped_reader
from server.graph.explore.access import VisibleGraph
from server.graph.explore.explore_graph import ListRelations, ListRelationsCommand
from server.graph.explore.scoped_reader import ScopedGraphReader
from server.graph.model import MemorySubgraph, RelationCursor, StatedRelation, newest_first
from server.graph.ports import GraphScope, RelationQuery
from server.memories.scope import Scope
from tests.support.builders import ALICE, LISBON, NOW, PROJECT, addition, call, change_set
from tests.support.fake_graph import FakeGraph
from tests.support.fake_outbox import FakeOutbox
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.past import past_of
from tests.support.request_context import in_request


@dataclass
class LateOutbox(FakeOutbox):
    """Is caught up from the `asks_until_caught_up`-th question on; None: never."""

    asks_until_caught_up: int | None = 1

    async def is_caught_up(self, project_id: str, position: int) -> bool:
        self.asked.append((project_id, position))
        asks = self.asks_until_caught_up
        return asks is not None and len(self.asked) >= asks


class World:
    """The use case and its collaborators."""

    def __init__(self) -> None:
        self.graph = FakeGraph()
        self.outbox = LateOutbox()
        self.store = FakeStore()
        clock = FakeClock()
        reader = ScopedGraphReader(self.graph, self.store, clock)
        self.list = ListRelations(VisibleGraph(reader, self.outbox, self.store, clock))

    async def knows(self, text: str, expiration_date: date | None = None) -> StatedRelation:
        """Adds a memory that is also in the graph."""
        new_call = call()
        item = addition(new_call, text, relations=[LISBON], expiration_date=expiration_date)
        await self.store.commit(change_set(new_call, added=[item]))
        return self.graph_holds(item.memory.id)

    def graph_holds(self, memory_id: UUID) -> StatedRelation:
        self.graph.hold(
            MemorySubgraph(
                PROJECT, memory_id, exists=True, scope=ALICE, relations=[LISBON], event_time=NOW
            )
        )
        return StatedRelation(LISBON, memory_id, NOW)


@pytest.fixture
def world() -> World:
    return World()


def command(page_size: int = 10, position: int | None = None) -> ListRelationsCommand:
    return ListRelationsCommand(PROJECT, ALICE, page_size, position=position)


async def test_the_query_reaches_the_graph(world: World) -> None:
    cursor = RelationCursor(NOW, UUID(int=1), "alice", "lives_in", "lisbon")
    await world.list(ListRelationsCommand(PROJECT, ALICE, 7, "Alice", "lives_in", cursor))
    assert world.graph.queries == [
        RelationQuery(GraphScope(PROJECT, ALICE, NOW), 8, "Alice", "lives_in", cursor)
    ]
    assert world.outbox.asked == []


@pytest.mark.parametrize(("count", "more"), [(0, False), (2, False), (3, True)])
async def test_there_is_no_empty_next_page(world: World, count: int, more: bool) -> None:
    stated = newest_first([await world.knows(str(number)) for number in range(count)])
    page = await world.list(command(page_size=2))
    assert page.items == stated[:2]
    assert (page.next is not None) == more
    if page.next is not None:
        last = (NOW, stated[1].memory_id, "alice", "lives_in", "lisbon")
        assert page.next == RelationCursor(*last)


async def test_relations_of_deleted_and_expired_memories_are_hidden(world: World) -> None:
    world.graph_holds(UUID(int=1))
    await world.knows("expired", expiration_date=date(2026, 11, 22))
    here = await world.knows("here")
    assert (await world.list(command())).items == [here]


async def test_a_page_of_hidden_relations_still_leads_to_the_next_one(world: World) -> None:
    for number in range(3):
        world.graph_holds(UUID(int=number))
    page = await world.list(command(page_size=2))
    assert page.items == []
    assert page.next is not None
    assert page.next.memory_id == UUID(int=1)


async def test_a_read_after_a_write_waits_for_the_graph(world: World) -> None:
    world.outbox.asks_until_caught_up = 3
    stated = await world.knows("here")
    assert (await world.list(command(position=7))).items == [stated]
    assert world.outbox.asked == [(PROJECT, 7)] * 3


async def test_a_read_waits_for_the_first_position_too(world: World) -> None:
    await world.list(command(position=0))
    assert world.outbox.asked == [(PROJECT, 0)]


async def test_a_scope_that_is_read_from_its_memories_does_not_wait(world: World) -> None:
    command = ListRelationsCommand(PROJECT, Scope("alice", run_id="run-1"), 10, position=7)
    await world.list(command)
    assert world.outbox.asked == []


async def test_a_graph_that_does_not_catch_up_in_time_is_an_error(world: World) -> None:
    world.outbox.asks_until_caught_up = None
    context = RequestContext("c", time.monotonic() + 0.05)
    with pytest.raises(GraphBehind):
        await in_request(context, lambda: world.list(command(position=1)))
    assert world.graph.queries == []


async def test_the_graph_is_not_asked_without_time_left(world: World) -> None:
    context = RequestContext("c", time.monotonic())
    with pytest.raises(DeadlineExceeded):
        await in_request(context, lambda: world.list(command(position=1)))
    assert world.outbox.asked == []


async def test_the_past_is_read_from_the_history_page_by_page(world: World) -> None:
    memories = [
        addition(call(scope=scope), str(n), relations=[LISBON]).memory
        for n, scope in enumerate([ALICE, ALICE, Scope("alice", run_id="run-1")])
    ]
    world.store.past = past_of(memories)
    listing = ListRelationsCommand(PROJECT, ALICE, 2, position=7, as_of=NOW)
    first = await world.list(listing)
    second = await world.list(replace(listing, after=first.next))
    found = [stated.memory_id for stated in (*first.items, *second.items)]
    assert sorted(found) == sorted(memory.id for memory in memories)
    assert second.next is None
    assert world.store.asked == [(NOW, NOW.date())] * 2
    assert world.graph.queries == []
    assert world.outbox.asked == []

    of_run = await world.list(replace(listing, scope=Scope("alice", run_id="run-1")))
    assert [stated.memory_id for stated in of_run.items] == [memories[2].id]
    assert (await world.list(replace(listing, relation="works at"))).items == []


async def test_too_many_memories_in_the_past_are_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scoped_reader, "MOST_MEMORIES", 1)
    world.store.past = past_of([addition(call(), str(n)).memory for n in range(2)])
    with pytest.raises(InvalidRequest) as raised:
        await world.list(ListRelationsCommand(PROJECT, ALICE, 2, as_of=NOW))
    assert [violation.field for violation in raised.value.violations] == ["as_of"]
