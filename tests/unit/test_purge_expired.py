"""Purging expired memories periodically."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta

from structlog.testing import capture_logs

from server.core.transient_errors import StoreUnavailable
from server.maintenance import PURGE_EXPIRED, PurgeExpired
from server.memories.changes import Call
from server.memories.scope import DeletionReceipt, Scope
from tests.support.builders import NOW, PROJECT
from tests.support.fake_store import FakeStore
from tests.support.fakes import FakeClock


@dataclass
class Expired(FakeStore):
    """Has `batches` to erase, but first fails with each of `faults`."""

    batches: list[DeletionReceipt] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)
    days: list[date] = field(default_factory=list)
    emptied: asyncio.Event = field(default_factory=asyncio.Event)

    async def purge(
        self, expired_before: date, limit: int, call_of: Callable[[str], Call]
    ) -> DeletionReceipt | None:
        if self.faults:
            raise self.faults.pop()
        self.days.append(expired_before)
        if not self.batches:
            self.emptied.set()
            return None
        self.calls.append(call_of(PROJECT))
        return self.batches.pop()


async def test_batches_are_erased_until_nothing_is_due() -> None:
    changes = Expired(batches=[DeletionReceipt(memories=1, events=3), DeletionReceipt(memories=2)])
    with capture_logs() as logs:
        erased = await PurgeExpired(changes, FakeClock(), kept_days=30).purge()
    assert (erased["memories"], erased["events"]) == (3, 3)
    assert set(changes.days) == {NOW.date() - timedelta(days=30)}
    assert {(c.method, c.scope, c.project_id) for c in changes.calls} == {
        (PURGE_EXPIRED, Scope(), PROJECT)
    }
    [line] = logs
    assert (line["event"], line["memories"]) == ("retention.purged", 3)


async def test_it_continues_after_faults_and_logs_unexpected_ones() -> None:
    faults = [StoreUnavailable(), ValueError("broken")]
    changes = Expired(batches=[DeletionReceipt(memories=1)], faults=list(faults))
    purge = PurgeExpired(changes, FakeClock(), kept_days=1, interval=timedelta())
    with capture_logs() as logs:
        task = asyncio.create_task(purge.run())
        await asyncio.wait_for(changes.emptied.wait(), 20)
        task.cancel()
    assert [line["event"] for line in logs] == ["retention.failed", "retention.purged"]
