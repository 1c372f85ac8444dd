"""Reading one memory, and listing a scope in pages."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from server.core.errors import MemoryNotFound
from server.memories.memory import ListOrder
from server.memories.search.read_memories import GetMemory, ListMemories, ListMemoriesCommand
from tests.support.builders import ALICE, NOW, PROJECT, NewMemory, addition, call, change_set
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock
from tests.support.past import past_of


@pytest.fixture
def store() -> FakeStore:
    return FakeStore()


async def remembered(
    store: FakeStore, text: str, seconds: int = 0, expiration_date: date | None = None
) -> NewMemory:
    new_call = call(time=NOW + timedelta(seconds=seconds))
    item = addition(new_call, text, expiration_date=expiration_date)
    await store.commit(change_set(new_call, added=[item]))
    return item


async def test_a_memory_is_read_by_its_id(store: FakeStore) -> None:
    item = await remembered(store, "tea")
    assert await GetMemory(store, FakeClock())(PROJECT, item.memory.id) == item.memory


async def test_unknown_memories_and_those_of_other_projects_are_not_found(
    store: FakeStore,
) -> None:
    item = await remembered(store, "tea")
    get = GetMemory(store, FakeClock())
    for project_id, memory_id in ((PROJECT, UUID(int=1)), ("project-2", item.memory.id)):
        with pytest.raises(MemoryNotFound) as raised:
            await get(project_id, memory_id)
        assert raised.value.metadata == {"id": str(memory_id)}


async def test_a_memory_is_visible_through_its_expiration_date(store: FakeStore) -> None:
    item = await remembered(store, "tea", expiration_date=NOW.date())
    clock = FakeClock(NOW.replace(hour=23, minute=59))
    get = GetMemory(store, clock)
    assert await get(PROJECT, item.memory.id) == item.memory
    clock.time += timedelta(minutes=1)
    with pytest.raises(MemoryNotFound):
        await get(PROJECT, item.memory.id)
    assert await get(PROJECT, item.memory.id, show_expired=True) == item.memory


async def pages(store: FakeStore, page_size: int, order: ListOrder) -> list[list[str]]:
    list_memories = ListMemories(store, FakeClock())
    found: list[list[str]] = []
    after = None
    while not found or after:
        command = ListMemoriesCommand(PROJECT, ALICE, page_size, order, after)
        page = await list_memories(command)
        found.append([memory.text for memory in page.items])
        after = page.next
    return found


@pytest.mark.parametrize(
    ("count", "expected"),
    [
        (0, [[]]),
        (2, [["0", "1"]]),
        (3, [["0", "1", "2"]]),
        (4, [["0", "1", "2"], ["3"]]),
        (6, [["0", "1", "2"], ["3", "4", "5"]]),
    ],
)
async def test_there_is_no_empty_next_page(
    store: FakeStore, count: int, expected: list[list[str]]
) -> None:
    for number in range(count):
        await remembered(store, str(number), seconds=number)
    assert await pages(store, 3, ListOrder.OLDEST_FIRST) == expected


async def test_the_newest_come_first_by_default(store: FakeStore) -> None:
    for number in range(3):
        await remembered(store, str(number), seconds=number)
    page = await ListMemories(store, FakeClock())(ListMemoriesCommand(PROJECT, ALICE, 2))
    assert [memory.text for memory in page.items] == ["2", "1"]
    assert page.next is not None
    assert page.next.memory_id == page.items[-1].id
    assert page.next.create_time == page.items[-1].create_time


async def test_expired_memories_are_listed_only_on_request(store: FakeStore) -> None:
    await remembered(store, "gone", expiration_date=NOW.date() - timedelta(days=1))
    await remembered(store, "here")
    list_memories = ListMemories(store, FakeClock())
    shown = await list_memories(ListMemoriesCommand(PROJECT, ALICE, 5))
    assert [memory.text for memory in shown.items] == ["here"]
    shown = await list_memories(ListMemoriesCommand(PROJECT, ALICE, 5, show_expired=True))
    assert len(shown.items) == 2


async def test_the_past_is_read_from_the_history_with_its_own_expiration(
    store: FakeStore,
) -> None:
    then = NOW - timedelta(days=400)
    past = (await remembered(FakeStore(), "as it was")).memory
    store.past = past_of([past])
    get = GetMemory(store, FakeClock())
    assert await get(PROJECT, past.id, as_of=then) == past
    assert await get(PROJECT, past.id, as_of=then, show_expired=True) == past
    listing = ListMemories(store, FakeClock())
    page = await listing(ListMemoriesCommand(PROJECT, ALICE, 1, as_of=then))
    assert (page.items, page.next) == ([past], None)
    assert store.asked == [(then, then.date()), (then, None), (then, then.date())]
    with pytest.raises(MemoryNotFound):
        await get(PROJECT, UUID(int=1), as_of=then)
