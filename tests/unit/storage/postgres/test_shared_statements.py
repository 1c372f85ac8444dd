"""Calls with the same key share statements, but not failures."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import asyncpg
import pytest

from server.core.request_context import BackgroundPlace, enter_place
from server.core.transient_errors import StoreUnavailable
from server.storage.postgres.shared_statements import MOST_TOGETHER, SharedStatements

KEY = "project-1"


class Statements:
    """Records the started statements; with `is_held`, each ends only when the test says so."""

    def __init__(self) -> None:
        self.begun: list[list[str]] = []
        self.is_held = True
        self.faulty: Exception | None = None
        self._ends: list[asyncio.Event] = []

    async def run(self, together: Sequence[str]) -> list[int]:
        self.begun.append(list(together))
        if self.is_held:
            self._ends.append(asyncio.Event())
            await self._ends[-1].wait()
        if self.faulty is not None and "faulty" in together:
            raise self.faulty
        return [len(text) for text in together]

    def end_first(self) -> None:
        self._ends.pop(0).set()

    def release(self) -> None:
        """Ends the running statements and lets later ones end by themselves."""
        self.is_held = False
        while self._ends:
            self.end_first()


class World:
    """Calls in progress."""

    def __init__(self, long_seconds: float = 60.0) -> None:
        self.statements = Statements()
        self.shared = SharedStatements("test", self.statements.run, long_seconds)

    async def begin(self, *texts: str, key: str = KEY) -> list[asyncio.Task[int]]:
        tasks = [asyncio.create_task(self.shared.answer(key, text)) for text in texts]
        await settle()
        return tasks


async def settle() -> None:
    """Lets all tasks run until they wait."""
    for _ in range(5):
        await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


async def test_the_first_call_starts_at_once_and_the_others_share_a_statement(
    world: World,
) -> None:
    first = await world.begin("a")
    others = await world.begin("bb", "ccc", "dddd")
    assert world.statements.begun == [["a"]]
    world.statements.release()
    assert await asyncio.gather(*first, *others) == [1, 2, 3, 4]
    assert world.statements.begun == [["a"], ["bb", "ccc", "dddd"]]


@dataclass(frozen=True, slots=True)
class OneByOne(BackgroundPlace):
    """Lets the waiting calls go on when the test says so."""

    turns: list[asyncio.Future[None]] = field(default_factory=list)

    async def take_turn(self) -> None:
        self.turns.append(asyncio.get_running_loop().create_future())
        await self.turns[-1]


async def test_calls_continue_in_turns(world: World) -> None:
    place = OneByOne("tenant")
    enter_place(place)
    # The first has a statement of its own, the others share one.
    tasks = await world.begin("a", "ccc", "dddd")
    tasks.append(asyncio.create_task(world.shared.answer_alone("b")))
    await settle()
    world.statements.release()
    await settle()
    assert len(place.turns) == len(tasks)
    assert not any(task.done() for task in tasks)
    for number, turn in enumerate(place.turns, 1):
        turn.set_result(None)
        await settle()
        assert sum(task.done() for task in tasks) == number


async def test_a_statement_begins_before_the_calls_of_the_last_one_go_on(world: World) -> None:
    enter_place(OneByOne("tenant"))
    [first] = await world.begin("a")
    [second] = await world.begin("b")
    world.statements.end_first()
    await settle()
    assert world.statements.begun == [["a"], ["b"]]
    for task in first, second:
        task.cancel()


async def test_a_statement_has_a_limited_number_of_calls(world: World) -> None:
    first = await world.begin("a")
    others = await world.begin(*("c" * (MOST_TOGETHER + 3)))
    world.statements.release()
    await asyncio.gather(*first, *others)
    assert [len(texts) for texts in world.statements.begun] == [1, MOST_TOGETHER, 3]


async def test_keys_do_not_wait_for_each_other(world: World) -> None:
    tasks = await world.begin("a")
    tasks += await world.begin("b", key="project-2")
    assert world.statements.begun == [["a"], ["b"]]
    world.statements.release()
    await asyncio.gather(*tasks)


async def test_an_answer_of_its_own_waits_for_no_other(world: World) -> None:
    tasks = await world.begin("a")
    tasks.append(asyncio.create_task(world.shared.answer_alone("b")))
    await settle()
    assert world.statements.begun == [["a"], ["b"]]
    world.statements.release()
    await asyncio.gather(*tasks)


async def test_a_faulty_call_fails_alone(world: World) -> None:
    first = await world.begin("a")
    others = await world.begin("cc", "faulty", "dd")
    world.statements.faulty = asyncpg.UniqueViolationError("taken")
    world.statements.release()
    await asyncio.gather(*first)
    cc, faulty, dd = await asyncio.gather(*others, return_exceptions=True)
    assert (cc, dd) == (2, 2)
    assert isinstance(faulty, asyncpg.UniqueViolationError)
    assert world.statements.begun[1:] == [["cc", "faulty", "dd"], ["cc"], ["faulty"], ["dd"]]


async def test_without_a_database_all_calls_fail_and_later_ones_work(world: World) -> None:
    first = await world.begin("a")
    others = await world.begin("faulty", "c")
    world.statements.faulty = StoreUnavailable()
    world.statements.release()
    await asyncio.gather(*first)
    outcomes = await asyncio.gather(*others, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [StoreUnavailable, StoreUnavailable]
    assert await world.shared.answer(KEY, "dd") == 2


async def test_a_cancelled_call_takes_no_part_and_cancels_no_other(world: World) -> None:
    first = await world.begin("a")
    gone, stays = await world.begin("gone", "stays")
    gone.cancel()
    await settle()
    world.statements.release()
    assert await stays == 5
    await asyncio.gather(*first)
    assert world.statements.begun[1:] == [["stays"]]


async def test_a_call_cancelled_at_work_lets_the_next_continue(world: World) -> None:
    [first] = await world.begin("a")
    [waiting] = await world.begin("c")
    world.statements.is_held = False
    first.cancel()
    assert await waiting == 1


async def test_a_slow_statement_delays_no_other() -> None:
    world = World(long_seconds=0.0)
    slow = await world.begin("a")
    others = await world.begin("c")
    assert world.statements.begun == [["a"], ["c"]]
    world.statements.release()
    await asyncio.gather(*slow, *others)
    assert await world.shared.answer(KEY, "dd") == 2
