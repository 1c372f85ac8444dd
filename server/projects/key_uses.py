"""Remembers when keys were last used, without a write for each call."""

from __future__ import annotations

import asyncio
from datetime import datetime
from typing import Final

from server.core.clock import Clock
from server.core.errors import StoreUnavailable
from server.projects.ports import ProjectStore

FLUSH_SECONDS: Final = 10.0
"""How long uses are collected before they are written, in seconds."""


class KeyUses:
    """Collects the uses of keys and writes them in one statement, for all keys together.

    What a server collected is lost if it crashes; the next use of the key makes up for it.
    """

    def __init__(self, projects: ProjectStore, clock: Clock) -> None:
        self._projects = projects
        self._clock = clock
        self._uses: dict[str, datetime] = {}

    def note(self, key_id: str) -> None:
        """Notes that the key is used now."""
        self._uses[key_id] = self._clock.now()

    async def run(self) -> None:
        """Writes periodically until it is cancelled."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            await self.flush()

    async def flush(self) -> None:
        """Writes what was collected; keeps it if PostgreSQL cannot be reached."""
        if not self._uses:
            return
        uses, self._uses = self._uses, {}
        try:
            await self._projects.record_uses(uses)
        except StoreUnavailable:
            self._uses = uses | self._uses
