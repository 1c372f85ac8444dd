"""One task at a time works on a scope."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from server.core.errors import ExtractionFailed
from server.memories.conversation import Message, Role
from server.memories.scope import Scope
from server.operations.leases import ScopeLocks
from tests.support.inference import World, add

PATIENCE = 5.0


class Visitor:
    """A task that holds a scope from `inside` until `leaves` is called."""

    def __init__(self, locks: ScopeLocks, project_id: str = "p", scope: bytes = b"s") -> None:
        self._locks = locks
        self._place = (project_id, scope)
        self._leave = asyncio.Event()
        self.inside = asyncio.Event()
        self.task = asyncio.create_task(self._visit())

    async def _visit(self) -> None:
        async with self._locks.hold(*self._place):
            self.inside.set()
            await self._leave.wait()

    async def enters(self) -> None:
        await asyncio.wait_for(self.inside.wait(), PATIENCE)

    async def leaves(self) -> None:
        self._leave.set()
        await asyncio.wait_for(self.task, PATIENCE)


async def let_others_run() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


async def test_a_scope_has_one_holder_at_a_time_in_order_of_arrival() -> None:
    locks = ScopeLocks()
    first, second, third = (Visitor(locks) for _ in range(3))
    for visitor, waiting in ((first, second), (second, third)):
        await visitor.enters()
        await let_others_run()
        assert not waiting.inside.is_set()
        await visitor.leaves()
    await third.enters()
    await third.leaves()


async def test_other_scopes_and_projects_do_not_wait() -> None:
    locks = ScopeLocks()
    visitors = [Visitor(locks, *place) for place in (("p", b"s"), ("p", b"t"), ("q", b"s"))]
    for visitor in visitors:
        await visitor.enters()
    assert len(locks) == 3
    for visitor in visitors:
        await visitor.leaves()
    assert len(locks) == 0


async def test_a_failed_holder_lets_the_next_one_in() -> None:
    locks = ScopeLocks()
    with pytest.raises(ZeroDivisionError):
        async with locks.hold("p", b"s"):
            raise ZeroDivisionError
    after = Visitor(locks)
    await after.enters()
    await after.leaves()
    assert len(locks) == 0


@pytest.mark.parametrize("cancelled", [0, 1])
async def test_a_cancelled_waiter_delays_no_other(cancelled: int) -> None:
    locks = ScopeLocks()
    visitors = [Visitor(locks), Visitor(locks), Visitor(locks)]
    await visitors[0].enters()
    await let_others_run()
    visitors[cancelled].task.cancel()
    with suppress(asyncio.CancelledError):
        await visitors[cancelled].task
    for visitor in visitors:
        if visitor is not visitors[cancelled]:
            await visitor.enters()
            await visitor.leaves()
    assert len(locks) == 0


def introduction(name: str) -> list[Message]:
    return [Message(Role.USER, f"I am {name}")]


async def test_adds_to_one_scope_see_each_others_memories() -> None:
    world = World()
    at_work = 0

    async def alone() -> None:
        nonlocal at_work
        at_work += 1
        await let_others_run()
        assert at_work == 1
        at_work -= 1

    world.model.thinking = alone
    names = [f"name {number}" for number in range(5)]
    await asyncio.gather(
        *(
            world.add_messages(add(f"Is {name}", f"I am {name}"), messages=introduction(name))
            for name in names
        )
    )
    assert [len(request.candidates) for request in world.model.requests] == [0, 1, 2, 3, 4]


async def test_adds_to_different_scopes_run_concurrently() -> None:
    world = World()
    all_are_thinking = asyncio.Barrier(3)

    async def together() -> None:
        async with asyncio.timeout(PATIENCE):
            await all_are_thinking.wait()

    world.model.thinking = together
    await asyncio.gather(
        *(world.add_messages(scope=Scope(user_id=name)) for name in ("a", "b", "c"))
    )
    assert len(world.locks) == 0


async def test_a_failed_add_lets_the_next_one_in() -> None:
    world = World()
    world.model.script = [ExtractionFailed("m", "truncated")]
    with pytest.raises(ExtractionFailed):
        await world.add_messages()
    world.model.script.clear()
    await asyncio.wait_for(world.add_messages(), PATIENCE)
