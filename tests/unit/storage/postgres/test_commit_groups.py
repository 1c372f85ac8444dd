"""Small commits of a project share statements, but not failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from server.core.errors import StoreUnavailable
from server.core.request_context import BackgroundPlace, enter_place
from server.memories.changes import ChangeSet
from server.memories.ports import Committed
from server.storage.postgres.commit_groups import MOST_TOGETHER, STATEMENTS_AT_ONCE, CommitGroups
from tests.support.builders import PROJECT, call, change_set, message


class Statements:
    """Records the started statements; with `is_held`, each ends only when the test says so."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self.is_held = True
        self.faulty: Exception | None = None
        self._ends: list[asyncio.Event] = []

    async def record(self, together: Sequence[ChangeSet]) -> list[Committed | None]:
        texts = [changes.messages[0].content for changes in together]
        self.begun.append(texts)
        if self.is_held:
            self._ends.append(asyncio.Event())
            await self._ends[-1].wait()
        if self.faulty is not None and "faulty" in texts:
            raise self.faulty
        return [Committed(frozenset(), len(text)) for text in texts]

    def end_first(self) -> None:
        self._ends.pop(0).set()


def saying(text: str, project_id: str = PROJECT) -> ChangeSet:
    return change_set(call(project_id=project_id), [message(text)])


class World:
    """Commits in progress."""

    def __init__(self, long_seconds: float = 60.0) -> None:
        self.statements = Statements()
        self.groups = CommitGroups(self.statements.record, long_seconds)

    async def begin(self, *texts: str, project_id: str = PROJECT) -> list[asyncio.Task[object]]:
        tasks: list[asyncio.Task[object]] = [
            asyncio.create_task(self.groups.write(saying(text, project_id))) for text in texts
        ]
        await settle()
        return tasks


async def settle() -> None:
    """Lets all tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_calls_start_at_once_and_the_others_share_a_statement(world: World) -> None:
    first = await world.begin("a", "bb")
    others = await world.begin("ccc", "dddd", "eeeee")
    assert world.statements.begun == [["a"], ["bb"]]
    world.statements.is_held = False
    world.statements.end_first()
    world.statements.end_first()
    committed = await asyncio.gather(*first, *others)
    assert world.statements.begun == [["a"], ["bb"], ["ccc", "dddd", "eeeee"]]
    assert [each.position for each in committed if isinstance(each, Committed)] == [1, 2, 3, 4, 5]


@dataclass(frozen=True, slots=True)
class OneByOne(BackgroundPlace):
    """Lets the waiting calls go on when the test says so."""

    turns: list[asyncio.Future[None]] = field(default_factory=list)

    async def take_turn(self) -> None:
        self.turns.append(asyncio.get_running_loop().create_future())
        await self.turns[-1]


async def test_calls_that_shared_a_statement_go_on_in_turns(world: World) -> None:
    place = OneByOne("tenant")
    enter_place(place)
    first = await world.begin("a", "bb")
    others = await world.begin("ccc", "dddd")
    world.statements.is_held = False
    world.statements.end_first()
    world.statements.end_first()
    await asyncio.gather(*first)
    await settle()
    assert [task.done() for task in others] == [False, False]
    place.turns[0].set_result(None)
    await settle()
    assert [task.done() for task in others] == [True, False]
    place.turns[1].set_result(None)
    await asyncio.gather(*others)


async def test_a_statement_has_a_limited_number_of_calls(world: World) -> None:
    first = await world.begin("a", "b")
    others = await world.begin(*("c" * (MOST_TOGETHER + 3)))
    world.statements.is_held = False
    world.statements.end_first()
    world.statements.end_first()
    await asyncio.gather(*first, *others)
    assert [len(texts) for texts in world.statements.begun] == [1, 1, MOST_TOGETHER, 3]


async def test_projects_do_not_wait_for_each_other(world: World) -> None:
    tasks = await world.begin(*("a" * STATEMENTS_AT_ONCE))
    tasks += await world.begin("b", project_id="project-2")
    assert world.statements.begun[-1] == ["b"]
    for _ in range(STATEMENTS_AT_ONCE + 1):
        world.statements.end_first()
    await asyncio.gather(*tasks)


async def test_a_large_call_is_written_alone_and_at_once(world: World) -> None:
    tasks = await world.begin(*("a" * STATEMENTS_AT_ONCE), "b" * 20_000)
    assert len(world.statements.begun) == STATEMENTS_AT_ONCE + 1
    for _ in range(STATEMENTS_AT_ONCE + 1):
        world.statements.end_first()
    await asyncio.gather(*tasks)


async def test_a_faulty_call_fails_alone(world: World) -> None:
    first = await world.begin("a", "b")
    others = await world.begin("cc", "faulty", "dd")
    world.statements.faulty = asyncpg.UniqueViolationError("taken")
    world.statements.is_held = False
    world.statements.end_first()
    world.statements.end_first()
    await asyncio.gather(*first)
    cc, faulty, dd = await asyncio.gather(*others, return_exceptions=True)
    assert (cc, dd) == (Committed(frozenset(), 2), Committed(frozenset(), 2))
    assert isinstance(faulty, asyncpg.UniqueViolationError)
    assert world.statements.begun[2:] == [["cc", "faulty", "dd"], ["cc"], ["faulty"], ["dd"]]


async def test_without_a_database_all_calls_fail_and_later_ones_work(world: World) -> None:
    first = await world.begin("a", "b")
    others = await world.begin("faulty", "c")
    world.statements.faulty = StoreUnavailable()
    world.statements.is_held = False
    world.statements.end_first()
    world.statements.end_first()
    await asyncio.gather(*first)
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert await world.groups.write(saying("dd")) == Committed(frozenset(), 2)


async def test_a_cancelled_call_is_not_written_and_cancels_no_other(world: World) -> None:
    first = await world.begin("a", "b")
    gone, stays = await world.begin("gone", "stays")
    gone.cancel()
    await settle()
    world.statements.is_held = False
    world.statements.end_first()
    world.statements.end_first()
    assert await stays == Committed(frozenset(), 5)
    await asyncio.gather(*first)
    assert world.statements.begun[2:] == [["stays"]]


async def test_a_call_cancelled_at_work_lets_the_next_continue(world: World) -> None:
    first = await world.begin("a", "b")
    [waiting] = await world.begin("c")
    world.statements.is_held = False
    for task in first:
        task.cancel()
    assert await waiting == Committed(frozenset(), 1)


async def test_a_slow_statement_delays_no_other() -> None:
    world = World(long_seconds=0.0)
    long = await world.begin("a", "b")
    others = await world.begin("c", "d")
    assert len(world.statements.begun) == STATEMENTS_AT_ONCE + 2
    for _ in range(STATEMENTS_AT_ONCE + 2):
        world.statements.end_first()
    await asyncio.gather(*long, *others)
    world.statements.is_held = False
    assert await world.groups.write(saying("dd")) == Committed(frozenset(), 2)
