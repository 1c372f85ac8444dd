"""Quotas of projects."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from server.core.errors import QuotaExceeded
from server.core.transient_errors import QuotaInUse
from server.projects.project import Quotas, StorageUse
from server.projects.quotas import REFRESH_SECONDS, ProjectQuotas, QuotaUsage
from tests.support.fakes import FakeProjectStore


class World:
    """The use case, the quotas of one project, and a clock that the test sets."""

    def __init__(self) -> None:
        self.projects = FakeProjectStore()
        self.seconds = 0.0
        self.quotas = ProjectQuotas(self.projects, lambda: self.seconds)

    def allows(self, **quotas: int) -> None:
        self.projects.storage["p"] = StorageUse(Quotas(**quotas))

    def holds(self, memories: int) -> None:
        self.projects.storage["p"] = replace(self.projects.storage["p"], memories=memories)


@pytest.fixture
def world() -> World:
    return World()


async def test_a_project_without_quotas_is_cached_for_a_while(world: World) -> None:
    for world.seconds in (0.0, 1.0, REFRESH_SECONDS - 0.1):
        await world.quotas.enter("p", is_stream=False, stores=True)
    assert world.projects.lookups == 1
    assert await world.quotas.usages("p") == []


async def test_concurrent_calls_and_streams_have_separate_limits(world: World) -> None:
    world.allows(calls=2, streams=1)
    first = await world.quotas.enter("p", is_stream=False, stores=False)
    await world.quotas.enter("p", is_stream=False, stores=False)
    stream = await world.quotas.enter("p", is_stream=True, stores=False)
    for is_stream, quota in ((False, "calls"), (True, "streams")):
        with pytest.raises(QuotaInUse) as raised:
            await world.quotas.enter("p", is_stream=is_stream, stores=False)
        assert raised.value.quota == quota
    first.leave(is_stream=False)
    stream.leave(is_stream=True)
    await world.quotas.enter("p", is_stream=False, stores=False)
    await world.quotas.enter("p", is_stream=True, stores=False)
    assert await world.quotas.usages("p") == [
        QuotaUsage("calls", 2, 2),
        QuotaUsage("streams", 1, 1),
    ]


async def test_calls_per_second_are_limited(world: World) -> None:
    world.allows(calls_per_second=2)
    for _ in range(2):
        await world.quotas.enter("p", is_stream=False, stores=False)
    with pytest.raises(QuotaInUse) as raised:
        await world.quotas.enter("p", is_stream=False, stores=False)
    assert raised.value.retry_after == timedelta(seconds=0.5)
    world.seconds = 0.5
    await world.quotas.enter("p", is_stream=False, stores=False)


async def test_a_full_project_refuses_writes_but_not_reads(world: World) -> None:
    world.projects.storage["p"] = StorageUse(Quotas(memories=3), memories=3)
    with pytest.raises(QuotaExceeded) as raised:
        await world.quotas.enter("p", is_stream=False, stores=True)
    assert raised.value.metadata == {"quota": "memories", "limit": "3"}
    await world.quotas.enter("p", is_stream=False, stores=False)


async def test_the_size_of_a_project_is_counted_in_the_background(world: World) -> None:
    world.projects.storage["p"] = StorageUse(Quotas(memories=3), memories=2)
    await world.quotas.enter("p", is_stream=False, stores=True)
    world.holds(3)
    await world.quotas.enter("p", is_stream=False, stores=True)
    world.seconds = REFRESH_SECONDS
    # The call that finds the count outdated does not wait for a new one.
    await world.quotas.enter("p", is_stream=False, stores=True)
    async with asyncio.timeout(20):
        while world.projects.lookups < 2:  # noqa: ASYNC110 - nothing tells when it has counted
            await asyncio.sleep(0)
    with pytest.raises(QuotaExceeded):
        await world.quotas.enter("p", is_stream=False, stores=True)
