"""Ending the leases of dead servers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from datetime import timedelta

import pytest

from server.core.transient_errors import StoreUnavailable
from server.operations.leases import FreeLeases
from tests.support.fake_store import FakeLeases

ONE, TWO = frozenset({1}), frozenset({2})
NOBODY: frozenset[int] = frozenset()
AT_ONCE = timedelta(0)


class Servers(FakeLeases):
    """Returns one check after the other; ends `leases` leases of a server."""

    def __init__(self, *looks: AbstractSet[int] | Exception, leases: int = 1) -> None:
        super().__init__()
        self._looks = list(looks)
        self._count = leases
        self.ended: list[AbstractSet[int]] = []
        self.exhausted = asyncio.Event()

    async def missing(self) -> AbstractSet[int]:
        if not self._looks:
            self.exhausted.set()
            return NOBODY
        seen = self._looks.pop(0)
        if isinstance(seen, Exception):
            raise seen
        return seen

    async def end_leases(self, servers: AbstractSet[int]) -> int:
        self.ended.append(servers)
        return self._count


@pytest.mark.parametrize(
    ("looks", "ended"),
    [
        ([ONE, NOBODY, ONE], []),
        ([ONE, ONE], [ONE]),
        # Still missing, but two more checks are needed, because the first ones have been handled.
        ([ONE, ONE, ONE], [ONE]),
        ([ONE, ONE | TWO, TWO], [ONE, TWO]),
        ([ONE, StoreUnavailable(), ONE], []),
        ([ONE, ValueError(), ONE], []),
    ],
)
async def test_a_server_missing_at_two_consecutive_checks_loses_its_leases(
    looks: Sequence[AbstractSet[int] | Exception], ended: Sequence[AbstractSet[int]]
) -> None:
    servers = Servers(*looks)
    task = asyncio.create_task(FreeLeases(servers, lambda: None, AT_ONCE).run())
    await asyncio.wait_for(servers.exhausted.wait(), 20)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert servers.ended == ended


@pytest.mark.parametrize(("leases", "told"), [(2, 1), (0, 0)])
async def test_workers_are_notified_if_leases_ended(leases: int, told: int) -> None:
    notes: list[None] = []
    free = FreeLeases(Servers(ONE, ONE, leases=leases), lambda: notes.append(None))
    await free.check()
    await free.check()
    assert len(notes) == told
