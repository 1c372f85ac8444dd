"""Streams of events: each gets its events once, and streams of a project share the reads."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import pytest

from server.core.transient_errors import ShuttingDown, StoreUnavailable
from server.memories.history.events import WatchMemoryEvents, WatchMemoryEventsCommand
from server.memories.history.tails import MOST_WAITING, PAGE_SIZE, EventTails
from server.memories.memory import StreamCursor
from server.memories.queries import StreamedEvent
from server.memories.scope import Scope
from server.operations.ports import Channel
from tests.support.builders import ALICE, PROJECT, addition, call
from tests.support.fake_operations import FakeNotifications
from tests.support.fake_store import FakeStore

BOB = Scope(user_id="bob")
EVERYONE = Scope()
# Only a fault takes this long, however busy the machine is.
PATIENCE_SECONDS = 60


@dataclass
class World:
    """The use case with a project in memory."""

    stream: FakeStore = field(default_factory=FakeStore)
    notifications: FakeNotifications = field(default_factory=FakeNotifications)
    draining: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        tails = EventTails(self.stream, self.notifications, self.draining)
        self._watch = WatchMemoryEvents(self.stream, tails, self.draining)

    def happen(self, *texts: str, scope: Scope = ALICE) -> None:
        """Adds memories, and notifies all streams."""
        for text in texts:
            self.stream.happen(addition(call(scope=scope), text).memory)
        self.notifications.notify(Channel.MEMORY_EVENTS)

    def watch(
        self, scope: Scope = ALICE, after: StreamCursor | None = None
    ) -> AsyncIterator[StreamedEvent | StreamCursor]:
        return self._watch(WatchMemoryEventsCommand(PROJECT, scope, after))

    async def begun(
        self, scope: Scope = ALICE
    ) -> tuple[AsyncIterator[StreamedEvent | StreamCursor], asyncio.Task[str]]:
        """Returns a stream, and a task that waits for its next event."""
        stream = self.watch(scope)
        assert isinstance(await anext(stream), StreamCursor)
        waiting = asyncio.create_task(text_of(stream))
        await asyncio.sleep(0)  # It follows then.
        await until(lambda: EVERYONE in self.stream.reads)
        return stream, waiting


async def until(holds: Callable[[], bool]) -> None:
    """Lets other tasks run until the condition holds."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not holds():  # noqa: ASYNC110 - what it looks at has no event to wait for
            await asyncio.sleep(0)


async def text_of(stream: AsyncIterator[StreamedEvent | StreamCursor]) -> str:
    async with asyncio.timeout(PATIENCE_SECONDS):
        streamed = await anext(stream)
    assert isinstance(streamed, StreamedEvent)
    assert streamed.event.after is not None
    return streamed.event.after.text


async def texts_of(stream: AsyncIterator[StreamedEvent | StreamCursor], count: int) -> list[str]:
    return [await text_of(stream) for _ in range(count)]


async def test_events_are_read_once_for_all_streams() -> None:
    world = World()
    streams = [await world.begun(ALICE if n % 2 else BOB) for n in range(50)]
    world.stream.reads.clear()
    world.happen("one")
    assert [await waiting for n, (_, waiting) in enumerate(streams) if n % 2] == ["one"] * 25
    assert world.stream.reads == [EVERYONE]
    world.happen("two", scope=BOB)
    assert [await waiting for n, (_, waiting) in enumerate(streams) if not n % 2] == ["two"] * 25
    assert world.stream.reads == [EVERYONE] * 2


async def test_a_stream_of_one_scope_field_sees_all_scopes_with_it() -> None:
    world = World()
    _, waiting = await world.begun(Scope(run_id="r"))
    world.happen("of another run", scope=Scope(user_id="alice", run_id="other"))
    world.happen("of the run", scope=Scope(user_id="alice", app_id="a", run_id="r"))
    assert await waiting == "of the run"


async def test_a_resumed_stream_gets_old_and_new_events_once() -> None:
    world = World()
    old = [f"old {n}" for n in range(250)]
    world.happen(*old)
    stream = world.watch(after=StreamCursor(0))
    received = await texts_of(stream, 120)
    new = [f"new {n}" for n in range(250)]
    world.happen(*new)
    received += await texts_of(stream, 380)
    assert received == old + new


async def test_a_resumed_stream_catches_up_with_a_tail_that_is_ahead() -> None:
    world = World()
    world.happen("one")
    _, waiting = await world.begun()
    world.happen("two")
    assert await waiting == "two"
    late = world.watch(after=StreamCursor(0))
    assert await texts_of(late, 2) == ["one", "two"]


async def test_a_slow_reader_buffers_little_and_misses_nothing() -> None:
    world = World()
    stream, waiting = await world.begun()
    texts = [f"number {n}" for n in range(3 * MOST_WAITING)]
    world.happen(*texts)
    assert await waiting == texts[0]
    world.stream.reads.clear()
    _, quick = await world.begun()
    world.happen("last")
    assert await quick == "last"
    assert ALICE not in world.stream.reads
    # The stream was detached and reads the rest separately.
    assert await texts_of(stream, len(texts)) == [*texts[1:], "last"]
    assert ALICE in world.stream.reads


async def test_no_more_is_read_than_the_streams_send() -> None:
    world = World()
    received: list[list[str]] = [[], []]
    at_reads: list[list[int]] = []

    async def follow(stream: AsyncIterator[StreamedEvent | StreamCursor], into: list[str]) -> None:
        while len(into) < 3 * PAGE_SIZE:
            into.append(await text_of(stream))

    watching = [world.watch() for _ in received]
    for stream in watching:
        assert isinstance(await anext(stream), StreamCursor)
    following = [
        asyncio.create_task(follow(*each)) for each in zip(watching, received, strict=True)
    ]
    await until(lambda: EVERYONE in world.stream.reads)
    world.stream.on_read = lambda: at_reads.append(list(map(len, received)))
    world.happen(*(f"number {n}" for n in range(3 * PAGE_SIZE)))
    await asyncio.gather(*following)
    assert at_reads[-2:] == [[PAGE_SIZE] * 2, [2 * PAGE_SIZE] * 2]


async def test_a_lost_store_ends_all_streams_and_new_ones_work() -> None:
    world = World()
    waiting = [(await world.begun())[1] for _ in range(3)]
    world.stream.error = StoreUnavailable()
    world.notifications.notify(Channel.MEMORY_EVENTS)
    for waits in waiting:
        with pytest.raises(StoreUnavailable):
            await waits
    world.stream.error = None
    world.stream.reads.clear()
    _, again = await world.begun()
    world.happen("after it")
    assert await again == "after it"


async def test_nothing_is_read_without_streams() -> None:
    world = World()
    _, waiting = await world.begun()
    subscribers = world.notifications.subscribers[Channel.MEMORY_EVENTS]
    assert len(subscribers) == 1
    waiting.cancel()
    await until(lambda: not subscribers)
    world.stream.reads.clear()
    world.happen("unseen")
    assert world.stream.reads == []


async def test_streams_end_with_the_server() -> None:
    world = World()
    waiting = [(await world.begun())[1] for _ in range(3)]
    world.draining.set()
    for waits in waiting:
        with pytest.raises(ShuttingDown):
            await waits
