"""Repeated calls wait for the first one with the same request id."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from uuid import uuid4

import pytest

from server.operations.idempotency import RequestKey, SerializedByRequestId, request_turn_key
from server.operations.leases import ScopeTurns
from tests.support.builders import PROJECT
from tests.support.fake_store import FakeLeases

PATIENCE = 5.0
KEY = RequestKey(uuid4(), b"payload")


@dataclass(frozen=True, slots=True)
class Command:
    key: RequestKey | None = KEY
    project_id: str = PROJECT


class Work:
    """Ends when `may_end` is set; `begun` and `most_at_once` count its runs."""

    def __init__(self) -> None:
        self.begun = 0
        self.running = 0
        self.most_at_once = 0
        self.may_end = asyncio.Event()

    async def __call__(self, _command: Command) -> int:
        self.begun += 1
        self.running += 1
        self.most_at_once = max(self.most_at_once, self.running)
        await self.may_end.wait()
        self.running -= 1
        return self.begun


async def let_others_run() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def yielding(_seconds: float) -> None:
    """Returns at once, after other tasks have run."""
    await asyncio.sleep(0)


def server(leases: FakeLeases, work: Work) -> SerializedByRequestId[Command, int]:
    return SerializedByRequestId(work, ScopeTurns(leases, sleep=yielding))


async def at_once(work: Work, *calls: tuple[SerializedByRequestId[Command, int], Command]) -> int:
    """Returns how many of the calls run at the same time."""
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for act, command in calls:
            group.create_task(act(command))
        await let_others_run()
        work.may_end.set()
    assert work.begun == len(calls)
    return work.most_at_once


@pytest.mark.parametrize("servers", [1, 2])
async def test_calls_with_one_request_id_run_one_after_another(servers: int) -> None:
    leases, work = FakeLeases(), Work()
    replicas = [server(leases, work) for _ in range(servers)]
    calls = [(replica, Command()) for replica in replicas for _ in range(3)]
    assert await at_once(work, *calls) == 1
    await let_others_run()
    assert leases.holders == {}


@pytest.mark.parametrize(
    "other",
    [Command(key=None), Command(key=RequestKey(uuid4(), b"")), Command(project_id="other")],
    ids=["none", "another id", "another project"],
)
async def test_other_calls_do_not_wait(other: Command) -> None:
    leases, work = FakeLeases(), Work()
    one = server(leases, work)
    assert await at_once(work, (one, Command()), (one, other)) == 2


async def test_a_call_that_ends_while_waiting_does_not_affect_the_first() -> None:
    leases, work = FakeLeases(), Work()
    first = asyncio.create_task(server(leases, work)(Command()))
    await let_others_run()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await server(leases, work)(Command())
    assert set(leases.holders) == {(PROJECT, request_turn_key(KEY.id))}
    work.may_end.set()
    assert await first == 1


async def test_a_failed_call_lets_the_next_one_try() -> None:
    async def fail(_command: Command) -> int:
        raise ZeroDivisionError

    leases, work = FakeLeases(), Work()
    with pytest.raises(ZeroDivisionError):
        await SerializedByRequestId(fail, ScopeTurns(leases))(Command())
    assert await at_once(work, (server(leases, work), Command())) == 1
