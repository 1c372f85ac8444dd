"""Faults under load in a random order, and then a check of the stored data.

Faults are injected for 30 s, or for `CHAOS_MINUTES`; `CHAOS_SEED` repeats the order of a run. The
test prints what it injects and checks.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from server.embedded import EmbeddedPostgres, no_progress
from tests.support.chaos.arena import Arena
from tests.support.chaos.checker import check_stored
from tests.support.chaos.network import network
from tests.support.chaos.small_disk import small_disk
from tests.support.chaos.workload import Workload
from tests.support.gemini_endpoint import GeminiEndpoint
from tests.support.neo4j import unstarted_neo4j
from tests.support.seeds import seed_of
from tests.support.server import key_of, key_of_new, make_home

SHORT_SECONDS = 30.0
CALLERS = 6


def seconds_of_faults() -> float:
    minutes = os.environ.get("CHAOS_MINUTES")
    return float(minutes) * 60 if minutes else SHORT_SECONDS


@pytest.fixture
def seed() -> int:
    return seed_of("CHAOS_SEED")


@pytest_asyncio.fixture
async def arena(tmp_path: Path, seed: int, gemini: GeminiEndpoint) -> AsyncIterator[Arena]:
    async with AsyncExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk"))
        postgres = EmbeddedPostgres((disk or tmp_path) / "postgres", no_progress)
        await stack.enter_async_context(postgres)
        neo4j = unstarted_neo4j(tmp_path / "neo4j")
        stack.push_async_callback(neo4j.stop)
        address = await neo4j.start()
        home = await make_home(postgres.dsn, address, tmp_path)
        ways = await stack.enter_async_context(network(postgres.dsn, address, gemini.base_url))
        servers = [home.server(**ways.variables) for _ in range(2)]
        keys = await key_of(home), await key_of_new(home)
        arena = Arena(home, postgres, neo4j, servers, random.Random(seed), ways, *keys, disk)
        stack.push_async_callback(arena.stop)
        for server in arena.servers:
            await server.start()
        yield arena


@pytest.mark.slow
async def test_whatever_is_injected_nothing_acknowledged_is_lost_halved_or_doubled(
    arena: Arena, seed: int
) -> None:
    workload = Workload(arena.servers, arena.key, random.Random(seed))
    end = time.monotonic() + seconds_of_faults()
    async with workload.running(CALLERS):
        while time.monotonic() < end:
            round_of_faults = arena.faults()
            arena.chance.shuffle(round_of_faults)
            for fault in round_of_faults:
                if time.monotonic() < end:
                    print(f"injected: {await fault()}")
    recorder = workload.recorder
    print(f"calls: {recorder.summary()}")
    assert any(call.memory_ids for call in recorder.calls), "nothing was acknowledged at all"
    for _ in range(2):
        await arena.operations_end()
        print(f"checked: {await workload.finish_operations()} accepted operations succeeded")
        print(f"checked: {await check_stored(arena.home.postgres_dsn, recorder)}")
        await workload.repeat_unknown()
    await arena.settled()
    print("checked: the graph equals PostgreSQL")
