"""Recording when keys were last used."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest

from server.core.transient_errors import StoreUnavailable
from server.projects import authorization
from server.projects.authorization import KeyUses
from server.projects.project import ApiKey
from tests.support.builders import NOW
from tests.support.fakes import FakeClock, FakeProjectStore


class Projects(FakeProjectStore):
    """Counts writes, and can be unavailable."""

    writes = 0
    is_away = False

    async def record_uses(self, uses: Mapping[str, datetime]) -> None:
        if self.is_away:
            raise StoreUnavailable
        self.writes += 1
        await super().record_uses(uses)


@pytest.fixture
def projects() -> Projects:
    return Projects(
        keys={digest: ApiKey(digest.decode(), "o", "p", "", NOW) for digest in (b"a", b"b")}
    )


async def test_many_uses_are_written_once(projects: Projects) -> None:
    clock = FakeClock()
    uses = KeyUses(projects, clock)
    for clock.time in (NOW, NOW + timedelta(seconds=5)):
        uses.note("a")
    uses.note("b")
    await uses.flush()
    await uses.flush()
    assert projects.writes == 1
    assert {key.last_use_time for key in projects.keys.values()} == {clock.time}


async def test_uses_are_kept_during_an_outage_of_the_store(projects: Projects) -> None:
    clock = FakeClock()
    uses = KeyUses(projects, clock)
    uses.note("a")
    uses.note("b")
    projects.is_away = True
    await uses.flush()
    clock.time = NOW + timedelta(seconds=5)
    uses.note("b")
    projects.is_away = False
    await uses.flush()
    assert projects.keys[b"a"].last_use_time == NOW
    assert projects.keys[b"b"].last_use_time == clock.time


async def test_uses_are_written_periodically(
    projects: Projects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(authorization, "FLUSH_SECONDS", 0.0)
    uses = KeyUses(projects, FakeClock())
    uses.note("a")
    task = asyncio.create_task(uses.run())
    async with asyncio.timeout(20):
        while not projects.writes:  # noqa: ASYNC110 - nothing tells when it has written
            await asyncio.sleep(0)
    task.cancel()
