"""Deleting a project with everything in it, for operators."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from server.application.authenticate import CACHE_SECONDS
from server.domain.archive import ProjectUnknown
from server.ports.clock import Clock
from server.ports.retention import ProjectDeletion

BATCH = 1000
# After this a server knows of the deletion, whatever it had found just before.
SETTLING = timedelta(seconds=CACHE_SECONDS + 1)


class DeleteProject:
    """Deletes a project, batch by batch. Whoever interrupts it can go on by asking again."""

    def __init__(
        self, deletion: ProjectDeletion, clock: Clock, settling: timedelta = SETTLING
    ) -> None:
        self._deletion = deletion
        self._clock = clock
        self._settling = settling

    async def __call__(
        self,
        project_id: str,
        on_progress: Callable[[int, int], None] = lambda _done, _total: None,
    ) -> Counter[str]:
        """Deletes and answers the rows by table.

        `on_progress` is told how many rows are done, and of how many. The project is closed first.
        Servers believe for `settling` that it is open, so what was written meanwhile is looked for
        once more.

        Raises:
            ProjectUnknown: nothing is kept of such a project.
            StoreUnavailable: what is deleted stays deleted, and the project closed.
        """
        if not await self._deletion.begin(project_id, self._clock.now()):
            raise ProjectUnknown(project_id)
        total = await self._deletion.count(project_id)
        deleted: Counter[str] = Counter()

        async def sweep() -> None:
            while batch := await self._deletion.delete_batch(project_id, BATCH):
                deleted.update(batch)
                on_progress(deleted.total(), max(total, deleted.total()))

        await sweep()
        await asyncio.sleep(self._settling.total_seconds())
        await sweep()
        await self._deletion.finish(project_id)
        return deleted
