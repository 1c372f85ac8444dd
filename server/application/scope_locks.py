"""Letting one task at a time work on a scope."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from server.domain.parking import parked


class ScopeLocks:
    """One lock a (project, scope), kept only while somebody holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: dict[tuple[str, bytes], tuple[asyncio.Lock, int]] = {}

    @asynccontextmanager
    async def hold(self, project_id: str, scope_key: bytes) -> AsyncIterator[None]:
        """Waits for the scope to be free and holds it for the block."""
        key = (project_id, scope_key)
        lock, users = self._locks.get(key, (asyncio.Lock(), 0))
        self._locks[key] = (lock, users + 1)
        try:
            await _acquire(lock)
            try:
                yield
            finally:
                lock.release()
        finally:
            self._leave(key)

    def _leave(self, key: tuple[str, bytes]) -> None:
        lock, users = self._locks[key]
        if users == 1:
            del self._locks[key]
        else:
            self._locks[key] = (lock, users - 1)

    def __len__(self) -> int:
        """How many scopes are held or waited for."""
        return len(self._locks)


async def _acquire(lock: asyncio.Lock) -> None:
    """Takes the lock. A call that has to wait for it is parked meanwhile."""
    if lock.locked():
        async with parked():
            await lock.acquire()
    else:
        await lock.acquire()
